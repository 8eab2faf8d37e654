/* What this node knows of its cluster, put together once a second, told to the others, and
 * published for whoever asks (node_report.h). On the loop, but for reporter_read(). */
#ifndef PHALANX_SERVER_REPORT_H
#define PHALANX_SERVER_REPORT_H

#include "node_report.h"

#include <pthread.h>

/* How often; and over how many of them quantiles are taken. */
#define REPORT_MS 1000
#define REPORT_WINDOW 10

struct server;

/* Durations as they were, a ring: one a report. */
struct report_window {
    struct durations_copy past[REPORT_WINDOW];
    struct durations_copy now;
};

struct reporter {
    uint64_t due_ms;     /* when the next report is to be made, on the loop's clock */
    uint64_t reports;    /* made */
    uint64_t counted_ms; /* when the next three were taken */
    uint64_t writes;
    uint64_t reads;
    uint64_t worst_sync_us;
    struct report_window commits;
    struct report_window syncs;
    struct report_window applies;
    struct node_report report; /* being made */
    pthread_mutex_t mutex;
    struct node_report published; /* under it */
};

void reporter_init(struct reporter *reporter);
void reporter_close(struct reporter *reporter);

/* Make one if it is due. */
void reporter_tend(struct server *s, uint64_t now_ms);

/* Any thread. */
void reporter_read(struct reporter *reporter, struct node_report *ret_report);

#endif
