/* What can be said to the network, one line at a time. Places are named; `all` is each of them.
 *
 *     link A B RTT JITTER LOSS REORDER   both ways take half of RTT; milliseconds, and per cent
 *     way A B DELAY JITTER LOSS REORDER  one way
 *     cut A B                            nothing passes between them
 *     hole A B                           nothing passes from A to B
 *     heal A B                           it passes again, both ways
 *     show                               all ways, with what passed and what was lost */
#ifndef PHALANX_MESH_COMMAND_H
#define PHALANX_MESH_COMMAND_H

#include "mesh/network.h"
#include "text.h"

#define MESH_LINE_BYTES ((size_t)512)
#define MESH_ANSWER_BYTES ((size_t)64 * 1024)

/* Obeys one line, which it takes apart. False: the answer says what is wrong with it, and nothing
 * was changed. */
MUST_USE bool mesh_command_run(struct mesh_network *network, char *line,
                               struct text_writer *answer);

#endif
