#include "gossip/machine.h"

#define WINDOW_BITS 64

static bool take_newer(struct gossip_window *window, uint32_t number) {
    uint32_t ahead = number - window->newest;
    window->seen = ahead < WINDOW_BITS ? window->seen << ahead | 1 : 1;
    window->newest = number;
    return true;
}

static bool take_older(struct gossip_window *window, uint32_t number) {
    uint32_t behind = window->newest - number;
    if (behind >= WINDOW_BITS || (window->seen >> behind & 1))
        return false;
    window->seen |= (uint64_t)1 << behind;
    return true;
}

static void enter_life(struct gossip_window *window, const struct gossip_head *head) {
    *window = (struct gossip_window){.is_open = true,
                                     .life = head->life,
                                     .newest = head->number,
                                     .seen = 1,
                                     .incarnation = head->incarnation};
}

/* Another life follows this one if it has got further; and an answer with our own token was made
 * just now, whatever somebody else may have made us believe in the meantime. */
enum gossip_freshness gossip__window_take(struct gossip_window *window,
                                          const struct gossip_head *head, bool is_awaited) {
    if (!window->is_open || window->life != head->life) {
        if (window->is_open && !is_awaited && head->incarnation <= window->incarnation)
            return FORMER_LIFE;
        bool is_further = !window->is_open || head->incarnation > window->incarnation;
        enter_life(window, head);
        return is_further ? FRESH : OTHER_LIFE;
    }
    bool is_new = head->number > window->newest ? take_newer(window, head->number)
                                                : take_older(window, head->number);
    if (!is_new && is_awaited)
        enter_life(window, head);
    else if (!is_new)
        return REPLAYED;
    if (head->incarnation > window->incarnation)
        window->incarnation = head->incarnation;
    return FRESH;
}
