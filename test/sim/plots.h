/* Plots against a leader: several faults at once, because each alone would take long to meet the
 * others. One at a time. While a plot waits for another to be elected, clients write nothing, lest
 * the other lack it; then they do, and some still read from the old leader. */
#ifndef PHALANX_SIM_PLOTS_H
#define PHALANX_SIM_PLOTS_H

#include "sim/faults.h"

struct sim_plot {
    const struct sim_fault *fault; /* NULL: none is on */
    size_t leader;
    size_t cut_off;     /* AMBUSH: cannot hear the leader; SIM_NODES_MAX: nobody */
    bool is_deaf;       /* the leader hears nobody, */
    bool is_mute;       /* nobody hears it */
    uint64_t echo_us;   /* what it hears is so late */
    uint64_t is_filled; /* GLUT: bits of the nodes without room, */
    bool is_exhausted;  /* the reserve included */
};

void sim_plot_begin(struct sim *sim, const struct sim_fault *fault);
void sim_plot_end(struct sim *sim, const struct sim_fault *fault);

/* After every turn: once another leads, the old leader goes deaf and does not learn of it. */
void sim_plot_watch(struct sim *sim);

/* Whether clients keep from writing; not while there is a glut, which is about what they write. */
bool sim_plot_is_lull(struct sim *sim);

#endif
