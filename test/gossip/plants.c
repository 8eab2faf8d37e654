#include "gossip/world.h"
#include "sim/plant_table.h"

static const struct plant plants[] = {
    {"refute_without_incarnation", "who is suspected does not raise its incarnation"},
    {"believe_the_dead_call", "who is called dead is dead at once"},
    {"old_news", "an older incarnation overrides a newer one"},
    {"keep_address", "a member that has moved is sought in its old place"},
    {"let_the_dead_lie", "the dead are not tried again, nor are the seeds for long"},
    {"no_helpers", "nobody is asked for an indirect probe"},
};

bool plant_choose(const char *name) {
    return plant_table_choose(plants, sizeof plants / sizeof plants[0], "gossip-sim", name);
}
