/* Which planted bug is switched on in a directed test's second build: PHALANX_PLANT names it. */
#include "plant.h"

#include <stdlib.h>
#include <string.h>

bool plant_is(const char *name) {
    const char *chosen = getenv("PHALANX_PLANT");
    return chosen && strcmp(chosen, name) == 0;
}
