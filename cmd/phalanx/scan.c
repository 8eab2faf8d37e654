/* scan: page after page, to the end of the range or the limit. */
#include "phalanx/argument.h"
#include "phalanx/caller.h"
#include "phalanx/commands.h"
#include "phalanx/output.h"
#include "phalanx/progress.h"

/* ---- Pages --------------------------------------------------------------------------------- */

struct scan {
    const struct cli_invocation *invocation;
    struct cli_caller *caller;
    struct kv_request request; /* of the next page */
    uint8_t start[KEY_BYTES_MAX];
    int64_t left; /* of the limit */
    bool has_more;
    struct cli_json json;
    struct cli_progress progress;
};

static void print_text(const struct cli_flags *flags, struct bytes bytes) {
    if (flags->encoding == CLI_RAW)
        cli_print_escaped(stdout, bytes);
    else
        cli_print_bytes(stdout, bytes, flags->encoding);
}

static void print_text_item(const struct cli_flags *flags, const struct kv_item *item) {
    print_text(flags, item->key);
    if (!flags->keys_only) {
        putchar('\t');
        print_text(flags, item->value);
    }
    putchar('\n');
}

static void print_json_item(struct cli_json *json, const struct cli_flags *flags,
                            const struct kv_item *item) {
    cli_json_open(json, NULL, '{');
    cli_json_bytes(json, "key", item->key, flags->encoding);
    if (!flags->keys_only)
        cli_json_bytes(json, "value", item->value, flags->encoding);
    cli_json_number(json, "mod_revision", item->mod_revision);
    cli_json_number(json, "create_revision", item->create_revision);
    cli_json_number(json, "version", item->version);
    cli_json_close(json, '}');
}

static void print_item(struct scan *scan, const struct kv_item *item) {
    const struct cli_flags *flags = scan->invocation->flags;
    if (flags->is_json)
        print_json_item(&scan->json, flags, item);
    else
        print_text_item(flags, item);
}

/* Where the next page starts. False: there is no further key. */
static bool advance(struct scan *scan, const struct kv_item *last) {
    size_t len = 0;
    if (!kv_key_successor(last->key, scan->start, &len))
        return false;
    scan->request.key = bytes_of(scan->start, len);
    return scan->request.end.len == 0 || bytes_compare(scan->request.key, scan->request.end) < 0;
}

static void take_page(struct scan *scan, const struct kv_response *page) {
    for (size_t i = 0; i < page->item_count; i++) {
        const struct kv_item *item = &page->items[i];
        print_item(scan, item);
        cli_progress_add(&scan->progress, 1, item->key.len + item->value.len);
    }
    scan->left -= (int64_t)page->item_count;
    scan->has_more =
        page->has_more && page->item_count > 0 && advance(scan, &page->items[page->item_count - 1]);
}

static enum cli_exit read_pages(struct scan *scan) {
    bool has_limit = scan->invocation->flags->limit > 0;
    do {
        struct kv_response page;
        scan->request.limit = has_limit ? scan->left : 0;
        enum cli_exit end = cli_caller_kv(scan->caller, "scan", &scan->request, false, &page);
        if (end != CLI_EXIT_OK)
            return end;
        take_page(scan, &page);
        if (!cli_output_flush())
            return CLI_EXIT_ERROR; /* nobody reads on; the reason is told at the end */
    } while (scan->has_more && !(has_limit && scan->left <= 0));
    return CLI_EXIT_OK;
}

/* {"items":[…],"more":…} is closed whatever happens; after a failure there is more. */
static enum cli_exit print_pages(struct scan *scan) {
    bool is_json = scan->invocation->flags->is_json;
    if (is_json) {
        cli_json_open(&scan->json, NULL, '{');
        cli_json_open(&scan->json, "items", '[');
    }
    scan->has_more = true;
    enum cli_exit end = read_pages(scan);
    cli_progress_close(&scan->progress);
    if (is_json) {
        cli_json_close(&scan->json, ']');
        cli_json_bool(&scan->json, "more", scan->has_more);
        cli_json_close(&scan->json, '}');
        putchar('\n');
    }
    return end;
}

/* ---- Arguments ----------------------------------------------------------------------------- */

struct range {
    struct cli_argument start;
    struct cli_argument end;
    uint8_t prefix_end[KEY_BYTES_MAX];
};

static bool read_prefix(const struct cli_invocation *invocation, struct range *range) {
    if (invocation->argument_count > 0) {
        cli_error("scan: either START and END, or -prefix");
        return false;
    }
    if (!cli_argument_read(invocation, "-prefix", invocation->flags->prefix, &range->start))
        return false;
    if (range->start.bytes.len > KEY_BYTES_MAX) {
        cli_error("scan: -prefix: at most %zu bytes", KEY_BYTES_MAX);
        return false;
    }
    size_t len = kv_prefix_end(range->start.bytes, range->prefix_end);
    range->end.bytes = bytes_of(range->prefix_end, len);
    return true;
}

static bool read_range(const struct cli_invocation *invocation, struct range *range) {
    const char *const *words = invocation->arguments;
    size_t count = invocation->argument_count;
    if (invocation->flags->prefix != NULL)
        return read_prefix(invocation, range);
    return (count < 1 || cli_argument_read(invocation, "START", words[0], &range->start)) &&
           (count < 2 || cli_argument_read(invocation, "END", words[1], &range->end));
}

static enum cli_exit scan_range(const struct cli_invocation *invocation,
                                const struct range *range) {
    struct scan scan = {
        .invocation = invocation,
        .request = {.operation = KV_SCAN,
                    .key = range->start.bytes,
                    .end = range->end.bytes,
                    .is_stale = invocation->flags->is_stale},
        .left = invocation->flags->limit,
        .json = {.out = stdout},
    };
    const char *wrong = kv_request_check(&scan.request);
    if (wrong != NULL) {
        cli_error("scan: %s", wrong);
        return CLI_EXIT_USAGE;
    }
    rpc_init();
    enum cli_exit end = CLI_EXIT_USAGE;
    scan.caller = cli_caller_new(invocation->flags);
    if (scan.caller != NULL) {
        cli_progress_init(&scan.progress, "scan", "keys", true);
        end = print_pages(&scan);
    }
    cli_caller_free(scan.caller);
    rpc_shutdown();
    return end;
}

enum cli_exit cli_run_scan(const struct cli_invocation *invocation) {
    struct range range = {0};
    enum cli_exit end = CLI_EXIT_USAGE;
    if (read_range(invocation, &range))
        end = scan_range(invocation, &range);
    cli_argument_free(&range.start);
    cli_argument_free(&range.end);
    return end;
}
