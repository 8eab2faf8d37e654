/* What goes wrong, and when: a list made from the seed before the run, so that a failing run can be
 * repeated with some of it left out. */
#ifndef PHALANX_SIM_FAULTS_H
#define PHALANX_SIM_FAULTS_H

#include "sim/random.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sim;
struct sim_node;

enum sim_fault_kind {
    SIM_CRASH,       /* a node stops, and starts again later */
    SIM_BLINK,       /* a node stops and starts at once */
    SIM_BLACKOUT,    /* all nodes stop and start at once */
    SIM_PAUSE,       /* a process is frozen */
    SIM_ISOLATE,     /* a node hears nobody, is heard by nobody, or both */
    SIM_SPLIT,       /* two groups */
    SIM_PARTIAL,     /* some directions between some nodes */
    SIM_LOSS,        /* of many messages */
    SIM_LATE,        /* what comes from one node comes late */
    SIM_SLOW_DISK,   /* all latencies are many times longer */
    SIM_HUNG_DISK,   /* no write ends */
    SIM_FULL_DISK,   /* of one node */
    SIM_BROKEN_DISK, /* a write fails, and the process ends */
    SIM_ROT,         /* a flipped bit on a disk */
    SIM_WIPE,        /* a node comes back with an empty disk */
    SIM_ROLL_BACK,   /* a node restarts, and later comes back with the disk of before */
    SIM_CLOCK,       /* a clock changes its rate */
    SIM_CONFIGURE,   /* an order: other members */
    SIM_TRANSFER,    /* an order: another leader */
    /* Plots (plots.h): */
    SIM_USURP,  /* a transfer, of whose success the old leader does not hear */
    SIM_AMBUSH, /* a leader is cut off from one node while the others restart over and over */
    SIM_EXILE,  /* a leader alone */
    SIM_ECHO,   /* a leader that hears late, and is no longer heard */
    SIM_GLUT,   /* full disks, also of a majority, while another is to be elected */
    SIM_FAULT_KINDS,
};

struct sim_fault {
    uint64_t at_us;
    uint64_t lasts_us;
    enum sim_fault_kind kind;
    uint64_t pick; /* decides what the kind leaves open */
    uint64_t mark; /* what the beginning has to tell the end */
};

struct sim_faults {
    struct sim *sim;
    struct sim_fault *faults;
    size_t count;
    size_t capacity;
};

void sim_faults_open(struct sim_faults *faults, struct sim *sim);
void sim_faults_close(struct sim_faults *faults);
void sim_faults_plan(struct sim_faults *faults);

/* Everything is well again: all nodes run, all links work. */
void sim_faults_heal(struct sim_faults *faults);

/* A node goes down, comes up again; as many times as it went down. One that was lost comes up as
 * another. */
void sim_stop_node(struct sim *sim, size_t number);
void sim_start_node(struct sim *sim, size_t number);

/* A process ends by itself; somebody starts it again. */
void sim_end_process(struct sim *sim, struct sim_node *node);

/* One line about a fault, for people. */
void sim_fault_print(const struct sim_fault *fault, char *text, size_t capacity);

#endif
