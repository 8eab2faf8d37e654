#include "sim/plant_table.h"

#include "plant.h"

#include <stdio.h>
#include <string.h>

static const char *chosen = "";

static void print_all(const struct plant *plants, size_t count) {
    for (size_t i = 0; i < count; i++)
        printf("%-28s %s\n", plants[i].name, plants[i].what);
}

bool plant_table_choose(const struct plant *plants, size_t count, const char *program,
                        const char *name) {
    for (size_t i = 0; i < count; i++)
        if (strcmp(plants[i].name, name) == 0) {
            chosen = plants[i].name;
#ifdef PHALANX_PLANTS
            return true;
#endif
        }
    if (*chosen != '\0')
        fprintf(stderr, "%s: this build has no plants; %s-planted has\n", program, program);
    else
        print_all(plants, count);
    return false;
}

#ifdef PHALANX_PLANTS
bool plant_is(const char *name) {
    return strcmp(chosen, name) == 0;
}
#endif
