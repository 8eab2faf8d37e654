#include "mesh/command.h"

#include <stdio.h>
#include <stdlib.h>

#define WORDS_MAX 7

/* Milliseconds, and per cent. */
#define DELAY_MAX 60000.0
#define PERCENT_MAX 100.0

struct words {
    char *word[WORDS_MAX];
    size_t count;
};

static bool refuse(struct text_writer *answer, const char *what, const char *word) {
    text_put(answer, what);
    text_put(answer, word);
    return false;
}

static bool split(char *line, struct words *words) {
    char *rest = NULL;
    *words = (struct words){0};
    for (char *word = strtok_r(line, " \t\r\n", &rest); word;
         word = strtok_r(NULL, " \t\r\n", &rest)) {
        if (words->count == WORDS_MAX)
            return false;
        words->word[words->count++] = word;
    }
    return true;
}

/* ---- Which ways ---------------------------------------------------------------------------- */

struct range {
    size_t first;
    size_t end;
};

static bool find_range(const struct mesh_network *network, const char *name, struct range *range,
                       struct text_writer *answer) {
    *range = (struct range){0, network->place_count};
    if (strcmp(name, "all") == 0)
        return true;
    if (!mesh_network_find(network, name, &range->first))
        return refuse(answer, "there is no place ", name);
    range->end = range->first + 1;
    return true;
}

typedef void change(struct mesh_way *way, const struct mesh_way *like);

static void change_ways(struct mesh_network *network, struct range from, struct range to,
                        change *apply, const struct mesh_way *like) {
    for (size_t i = from.first; i < from.end; i++)
        for (size_t j = to.first; j < to.end; j++)
            if (i != j)
                apply(&network->ways[i][j], like);
}

/* ---- What becomes of them ------------------------------------------------------------------ */

static void set_quality(struct mesh_way *way, const struct mesh_way *like) {
    way->delay_us = like->delay_us;
    way->jitter_us = like->jitter_us;
    way->loss_ppm = like->loss_ppm;
    way->reorder_ppm = like->reorder_ppm;
}

static void set_cut(struct mesh_way *way, const struct mesh_way *like) {
    way->is_cut = like->is_cut;
}

static bool read_number(const char *word, double max, double unit, uint64_t *ret_number) {
    char *end;
    double number = strtod(word, &end);
    if (end == word || *end != '\0' || !(number >= 0 && number <= max))
        return false;
    *ret_number = (uint64_t)(number * unit + 0.5);
    return true;
}

static bool read_quality(const struct words *words, struct mesh_way *ret_way,
                         struct text_writer *answer) {
    bool is_both = strcmp(words->word[0], "link") == 0;
    if (words->count != 7)
        return refuse(answer, "wants two places and four numbers: ", words->word[0]);
    if (!read_number(words->word[3], DELAY_MAX, is_both ? 500 : 1000, &ret_way->delay_us))
        return refuse(answer, "not milliseconds: ", words->word[3]);
    if (!read_number(words->word[4], DELAY_MAX, 1000, &ret_way->jitter_us))
        return refuse(answer, "not milliseconds: ", words->word[4]);
    if (!read_number(words->word[5], PERCENT_MAX, 1e4, &ret_way->loss_ppm))
        return refuse(answer, "not per cent: ", words->word[5]);
    if (!read_number(words->word[6], PERCENT_MAX, 1e4, &ret_way->reorder_ppm))
        return refuse(answer, "not per cent: ", words->word[6]);
    return true;
}

static bool run_ways(struct mesh_network *network, const struct words *words, bool is_both,
                     change *apply, const struct mesh_way *like, struct text_writer *answer) {
    struct range from, to;
    if (words->count < 3)
        return refuse(answer, "wants two places: ", words->word[0]);
    if (!find_range(network, words->word[1], &from, answer) ||
        !find_range(network, words->word[2], &to, answer))
        return false;
    change_ways(network, from, to, apply, like);
    if (is_both)
        change_ways(network, to, from, apply, like);
    return true;
}

/* ---- What is known of them ----------------------------------------------------------------- */

static void show_way(const struct mesh_network *network, size_t from, size_t to,
                     struct text_writer *answer) {
    const struct mesh_way *way = &network->ways[from][to];
    char line[256];
    snprintf(line, sizeof line,
             "%s -> %s: %.1f ms, jitter %.1f ms, loss %.2f %%, reordered %.2f %%, passed %llu, "
             "lost %llu%s\n",
             network->places[from].name, network->places[to].name, (double)way->delay_us / 1e3,
             (double)way->jitter_us / 1e3, (double)way->loss_ppm / 1e4,
             (double)way->reorder_ppm / 1e4, (unsigned long long)way->passed,
             (unsigned long long)way->lost, way->is_cut ? ", cut" : "");
    text_put(answer, line);
}

static bool show(const struct mesh_network *network, struct text_writer *answer) {
    for (size_t i = 0; i < network->place_count; i++)
        for (size_t j = 0; j < network->place_count; j++)
            if (i != j)
                show_way(network, i, j, answer);
    text_put(answer, "no room for ");
    text_put_u64(answer, network->overflows);
    text_put(answer, " packets, not delivered ");
    text_put_u64(answer, network->undelivered);
    text_put(answer, ", to nobody here ");
    text_put_u64(answer, network->strays);
    return true;
}

/* ---- A line -------------------------------------------------------------------------------- */

bool mesh_command_run(struct mesh_network *network, char *line, struct text_writer *answer) {
    struct words words;
    struct mesh_way like = {0};
    if (!split(line, &words) || words.count == 0)
        return refuse(answer, "no such command", "");
    const char *name = words.word[0];
    if (strcmp(name, "show") == 0)
        return show(network, answer);
    bool is_way = strcmp(name, "way") == 0;
    if (is_way || strcmp(name, "link") == 0)
        return read_quality(&words, &like, answer) &&
               run_ways(network, &words, !is_way, set_quality, &like, answer);
    like.is_cut = strcmp(name, "heal") != 0;
    bool is_hole = strcmp(name, "hole") == 0;
    if (is_hole || strcmp(name, "cut") == 0 || !like.is_cut)
        return run_ways(network, &words, !is_hole, set_cut, &like, answer);
    return refuse(answer, "no such command: ", name);
}
