/* phalanx-mesh: links with delay, jitter, loss, reordering and cuts between network namespaces, for
 * kernels that cannot do it themselves.
 *
 *   phalanx-mesh run SOCKET FILE       FILE holds the first commands, a line each
 *   phalanx-mesh tell SOCKET WORD...   one more of them, to one that runs
 *
 * mesh/command.h lists the commands. FILE also has the places: `place NAME ADDRESS NAMESPACE` makes
 * a tun device in that namespace. Ends at SIGTERM, and the devices with it. */
#include "mesh/command.h"
#include "mesh/control.h"
#include "mesh/device.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

/* Taken from one device before the others have their turn. */
#define BURST 64

static _Noreturn void fail(const char *what, const char *which) {
    fprintf(stderr, "phalanx-mesh: %s: %s\n", which, what);
    exit(EXIT_FAILURE);
}

static uint64_t clock_us(void) {
    struct timespec now;
    CHECK(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* ---- The first commands -------------------------------------------------------------------- */

/* place NAME ADDRESS NAMESPACE */
static void read_place(struct mesh_network *network, const char *line) {
    char name[MESH_NAME_BYTES];
    char text[INET6_ADDRSTRLEN];
    char namespace[MESH_NAME_BYTES];
    struct in6_addr address;
    if (sscanf(line, "place %31s %45s %31s", name, text, namespace) != 3 ||
        inet_pton(AF_INET6, text, &address) != 1)
        fail("wants a name, an IPv6 address and a namespace", line);
    struct mesh_place *place = mesh_network_add(network, name, &address);
    if (!place)
        fail("too many places, or one is there already", name);
    place->device = mesh_device_open(namespace);
    if (place->device < 0)
        fail(strerror(errno), namespace);
}

static void read_line(struct mesh_network *network, char *line) {
    char memory[MESH_LINE_BYTES];
    struct text_writer answer = text_writer_of(memory, sizeof memory);
    if (strncmp(line, "place ", 6) == 0) {
        read_place(network, line);
    } else if (!mesh_command_run(network, line, &answer)) {
        text_put_bytes(&answer, bytes_of("", 1));
        fail(memory, line);
    }
}

static void read_file(struct mesh_network *network, const char *path) {
    char line[MESH_LINE_BYTES];
    FILE *file = fopen(path, "r");
    if (!file)
        fail(strerror(errno), path);
    while (fgets(line, sizeof line, file))
        if (line[0] != '\n' && line[0] != '#')
            read_line(network, line);
    fclose(file);
}

/* ---- The loop ------------------------------------------------------------------------------ */

static void take_packets(struct mesh_network *network, size_t from) {
    static uint8_t surplus[MESH_PACKET_BYTES_MAX];
    for (int i = 0; i < BURST; i++) {
        uint8_t *room = mesh_delays_room(network->delays);
        ssize_t len =
            read(network->places[from].device, room ? room : surplus, MESH_PACKET_BYTES_MAX);
        if (len < 0)
            return; /* no more; or the interface is down, which the next poll tells */
        if (room)
            mesh_network_send(network, from, (size_t)len, clock_us());
        else
            network->overflows++;
    }
}

static void deliver(struct mesh_network *network) {
    struct bytes packet;
    size_t target;
    while (mesh_delays_take(network->delays, clock_us(), &target, &packet)) {
        /* A device that is down or full loses it, as real ones do. */
        ssize_t written = write(network->places[target].device, packet.data, packet.len);
        network->undelivered += written < 0;
    }
}

static void wait_for_work(struct pollfd *files, nfds_t count, uint64_t next_us) {
    uint64_t now_us = clock_us();
    uint64_t wait_us = next_us > now_us ? next_us - now_us : 0;
    struct timespec wait = {.tv_sec = (time_t)(wait_us / 1000000),
                            .tv_nsec = (long)(wait_us % 1000000) * 1000};
    int ready = ppoll(files, count, next_us == UINT64_MAX ? NULL : &wait, NULL);
    CHECK(ready >= 0 || errno == EINTR);
}

static _Noreturn void run_loop(struct mesh_network *network, int control) {
    struct pollfd files[MESH_PLACES_MAX + 1];
    size_t count = network->place_count;
    for (size_t i = 0; i < count; i++)
        files[i] = (struct pollfd){.fd = network->places[i].device, .events = POLLIN};
    files[count] = (struct pollfd){.fd = control, .events = POLLIN};
    for (;;) {
        wait_for_work(files, count + 1, mesh_delays_next_us(network->delays));
        for (size_t i = 0; i < count; i++)
            if (files[i].revents & POLLIN)
                take_packets(network, i);
        if (files[count].revents & POLLIN)
            mesh_control_serve(control, network);
        deliver(network);
    }
}

static _Noreturn void run(const char *socket_path, const char *file) {
    static struct mesh_network network;
    mesh_network_init(&network, 1);
    read_file(&network, file);
    /* The links have to keep time on a busy machine; without the right to ask, they try. */
    (void)setpriority(PRIO_PROCESS, 0, -15);
    (void)prctl(PR_SET_TIMERSLACK, 1UL);
    int control = mesh_control_open(socket_path);
    if (control < 0)
        fail(strerror(errno), socket_path);
    run_loop(&network, control);
}

/* ---- The command line ---------------------------------------------------------------------- */

static int tell(const char *socket_path, int count, char **words) {
    char line[MESH_LINE_BYTES];
    struct text_writer w = text_writer_of(line, sizeof line - 1);
    for (int i = 0; i < count; i++) {
        text_put(&w, words[i]);
        text_put(&w, " ");
    }
    if (w.is_cut)
        fail("too long", "tell");
    line[w.len] = '\0';
    return mesh_control_tell(socket_path, line);
}

int main(int count, char **words) {
    if (count == 4 && strcmp(words[1], "run") == 0)
        run(words[2], words[3]);
    if (count >= 4 && strcmp(words[1], "tell") == 0)
        return tell(words[2], count - 3, words + 3);
    fprintf(stderr, "usage: phalanx-mesh run SOCKET FILE | tell SOCKET WORD...\n");
    return 2;
}
