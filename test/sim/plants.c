#include "sim/plants.h"

#include "plant.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    const char *what;
} plants[] = {
    {"skip_vote_sync", "a vote is told before it is on the disk"},
};

static const char *chosen = "";

static void print_all(void) {
    for (size_t i = 0; i < sizeof plants / sizeof plants[0]; i++)
        printf("%-24s %s\n", plants[i].name, plants[i].what);
}

bool plant_choose(const char *name) {
    for (size_t i = 0; i < sizeof plants / sizeof plants[0]; i++)
        if (strcmp(plants[i].name, name) == 0) {
            chosen = plants[i].name;
#ifdef PHALANX_PLANTS
            return true;
#endif
        }
    if (*chosen != '\0')
        fprintf(stderr, "phalanx-sim: this build has no plants; phalanx-sim-planted has\n");
    else
        print_all();
    return false;
}

#ifdef PHALANX_PLANTS
bool plant_is(const char *name) {
    return strcmp(chosen, name) == 0;
}
#endif
