#include "founding/world.h"
#include "sim/plant_table.h"

static const struct plant plants[] = {
    {"accept_two", "a second proposal is accepted while one is held"},
    {"accept_before_durable", "an acceptance is told before it is on the disk"},
    {"never_accepted_not_durable", "who declines may accept later"},
    {"dead_before_durable", "a cancel or a decline is told before it is on the disk"},
    {"decide_before_durable", "a ballot's value is sent before its leader has it on the disk"},
    {"decided_before_durable", "a ballot's value is agreed to before it is on the disk"},
    {"promise_before_durable", "a promise is told before it is on the disk"},
    {"forget_promise", "a promise is told and not kept"},
    {"start_after_promise", "an older ballot is agreed to after a promise"},
    {"start_without_all", "the proposer does not wait for the last acceptance"},
    {"ignore_accepted", "a later ballot drops what an earlier one may have started"},
    {"drop_without_majority", "a ballot drops after the first promise"},
    {"drop_when_one_is_gone", "one wiped member is taken for half of them"},
    {"drop_committed", "a starter drops what it knows to be committed"},
    {"let_go_in_silence", "a holder out of patience lets go by itself"},
    {"late_news", "late news of a dropped cluster ends the one that follows it"},
    {"found_before_durable", "a founder is told so before its record is on the disk"},
};

bool plant_choose(const char *name) {
    return plant_table_choose(plants, sizeof plants / sizeof plants[0], "founding-sim", name);
}
