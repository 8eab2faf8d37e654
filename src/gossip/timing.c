#include "gossip/machine.h"

#define WAN_TICK_MS 150
#define FORGET_MS ((uint64_t)24 * 3600 * 1000)

struct gossip_timing gossip_timing_of(uint64_t tick_ms) {
    bool is_wan = tick_ms >= WAN_TICK_MS;
    return (struct gossip_timing){.probe_ms = 10 * tick_ms,
                                  .ack_ms = (is_wan ? 4 : 3) * tick_ms,
                                  .spread_ms = 2 * tick_ms,
                                  .sync_ms = 20 * 10 * tick_ms,
                                  .alpha = is_wan ? 5 : 4,
                                  .forget_ms = FORGET_MS};
}

uint64_t gossip__suspect_ms(const struct gossip_timing *timing, size_t n) {
    return timing->alpha * (n <= 10 ? 1 : 2) * timing->probe_ms;
}

uint64_t gossip_bound_ms(const struct gossip_timing *timing, size_t n) {
    CHECK(n >= 2 && n <= GOSSIP_MEMBERS_MAX + 1);
    return (2 * (n - 1) + 4) * timing->probe_ms + gossip__suspect_ms(timing, n);
}

_Static_assert(GOSSIP_MEMBERS_MAX < 100, "log10 of the members, rounded up, is at most 2");
