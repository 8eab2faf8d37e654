/* GetReport's messages, as bytes and back. */
#include "rpc/codec_cluster.h"

#include "phalanx/v1/cluster.upb.h"

/* ---- Out ----------------------------------------------------------------------------------- */

static void fill_digest(phalanx_v1_MemberReport *to, const struct node_digest *from) {
    phalanx_v1_MemberReport_set_region(to, upb_StringView_FromString(from->region));
    phalanx_v1_MemberReport_set_version(to, upb_StringView_FromString(from->version));
    phalanx_v1_MemberReport_set_role(to, rpc__role_number(from->role));
    phalanx_v1_MemberReport_set_is_ready(to, from->is_ready);
    phalanx_v1_MemberReport_set_disk_is_full(to, from->disk_is_full);
    phalanx_v1_MemberReport_set_term(to, from->term);
    phalanx_v1_MemberReport_set_commit_index(to, from->log.commit);
    phalanx_v1_MemberReport_set_applied_index(to, from->log.applied);
    phalanx_v1_MemberReport_set_last_index(to, from->log.last);
    phalanx_v1_MemberReport_set_key_count(to, from->key_count);
    phalanx_v1_MemberReport_set_memory_bytes(to, from->memory_bytes);
    phalanx_v1_MemberReport_set_uptime_ms(to, from->uptime_ms);
    phalanx_v1_MemberReport_set_writes_per_1000s(to, from->writes_per_1000s);
    phalanx_v1_MemberReport_set_reads_per_1000s(to, from->reads_per_1000s);
    if (from->commit_p99_us != NODE_UNKNOWN)
        phalanx_v1_MemberReport_set_commit_p99_us(to, from->commit_p99_us);
    if (from->sync_p99_us != NODE_UNKNOWN)
        phalanx_v1_MemberReport_set_sync_p99_us(to, from->sync_p99_us);
}

static void fill_member(phalanx_v1_MemberReport *to, const struct node_member *from) {
    phalanx_v1_MemberReport_set_id(to, from->identity);
    phalanx_v1_MemberReport_set_name(to, upb_StringView_FromString(from->name));
    phalanx_v1_MemberReport_set_is_voter(to, from->is_voter);
    phalanx_v1_MemberReport_set_is_connected(to, from->is_connected);
    if (from->trip_us != NODE_UNKNOWN)
        phalanx_v1_MemberReport_set_round_trip_us(to, from->trip_us);
    if (from->digest_age_ms == NODE_UNKNOWN)
        return;
    phalanx_v1_MemberReport_set_age_ms(to, from->digest_age_ms);
    fill_digest(to, &from->digest);
}

grpc_slice rpc__report_encode(const struct node_report *report) {
    upb_Arena *arena = upb_Arena_New();
    phalanx_v1_GetReportResponse *response = phalanx_v1_GetReportResponse_new(arena);
    CHECK(response != NULL && report->member_count <= MEMBERS_MAX + 1);
    phalanx_v1_GetReportResponse_set_label(response, upb_StringView_FromString(report->label));
    phalanx_v1_GetReportResponse_set_quorum(response, report->quorum);
    phalanx_v1_GetReportResponse_set_voters_in_reach(response, report->voters_in_reach);
    phalanx_v1_GetReportResponse_set_failures_left(response, report->failures_left);
    for (size_t i = 0; i < report->member_count; i++) {
        phalanx_v1_MemberReport *member = phalanx_v1_GetReportResponse_add_members(response, arena);
        CHECK(member != NULL);
        fill_member(member, &report->members[i]);
    }
    size_t size = 0;
    const char *data = phalanx_v1_GetReportResponse_serialize(response, arena, &size);
    CHECK(data != NULL);
    grpc_slice slice = grpc_slice_from_copied_buffer(data, size);
    upb_Arena_Free(arena);
    return slice;
}

/* ---- In ------------------------------------------------------------------------------------ */

static bool take_text(upb_StringView view, char *ret_text, size_t size) {
    return rpc__copy_text(bytes_of(view.data, view.size), ret_text, size);
}

static bool take_digest(const phalanx_v1_MemberReport *from, struct node_digest *to) {
    *to = (struct node_digest){
        .role = rpc__role_of(phalanx_v1_MemberReport_role(from)),
        .is_ready = phalanx_v1_MemberReport_is_ready(from),
        .disk_is_full = phalanx_v1_MemberReport_disk_is_full(from),
        .term = phalanx_v1_MemberReport_term(from),
        .log = {.commit = phalanx_v1_MemberReport_commit_index(from),
                .applied = phalanx_v1_MemberReport_applied_index(from),
                .last = phalanx_v1_MemberReport_last_index(from)},
        .key_count = phalanx_v1_MemberReport_key_count(from),
        .memory_bytes = phalanx_v1_MemberReport_memory_bytes(from),
        .uptime_ms = phalanx_v1_MemberReport_uptime_ms(from),
        .writes_per_1000s = phalanx_v1_MemberReport_writes_per_1000s(from),
        .reads_per_1000s = phalanx_v1_MemberReport_reads_per_1000s(from),
        .commit_p99_us = phalanx_v1_MemberReport_has_commit_p99_us(from)
                             ? phalanx_v1_MemberReport_commit_p99_us(from)
                             : NODE_UNKNOWN,
        .sync_p99_us = phalanx_v1_MemberReport_has_sync_p99_us(from)
                           ? phalanx_v1_MemberReport_sync_p99_us(from)
                           : NODE_UNKNOWN,
    };
    return take_text(phalanx_v1_MemberReport_region(from), to->region, sizeof to->region) &&
           take_text(phalanx_v1_MemberReport_version(from), to->version, sizeof to->version);
}

static bool take_member(const phalanx_v1_MemberReport *from, bool is_self, struct node_member *to) {
    *to = (struct node_member){
        .identity = phalanx_v1_MemberReport_id(from),
        .is_self = is_self,
        .is_voter = phalanx_v1_MemberReport_is_voter(from),
        .is_connected = phalanx_v1_MemberReport_is_connected(from),
        .trip_us = phalanx_v1_MemberReport_has_round_trip_us(from)
                       ? phalanx_v1_MemberReport_round_trip_us(from)
                       : NODE_UNKNOWN,
        .digest_age_ms = phalanx_v1_MemberReport_has_age_ms(from)
                             ? phalanx_v1_MemberReport_age_ms(from)
                             : NODE_UNKNOWN,
    };
    return take_text(phalanx_v1_MemberReport_name(from), to->name, sizeof to->name) &&
           take_digest(from, &to->digest);
}

static bool take_report(const phalanx_v1_GetReportResponse *from, struct node_report *to) {
    size_t count = 0;
    const phalanx_v1_MemberReport *const *members =
        phalanx_v1_GetReportResponse_members(from, &count);
    *to = (struct node_report){
        .quorum = phalanx_v1_GetReportResponse_quorum(from),
        .voters_in_reach = phalanx_v1_GetReportResponse_voters_in_reach(from),
        .failures_left = phalanx_v1_GetReportResponse_failures_left(from),
    };
    if (count > MEMBERS_MAX + 1 ||
        !take_text(phalanx_v1_GetReportResponse_label(from), to->label, sizeof to->label))
        return false;
    for (size_t i = 0; i < count; i++) {
        if (!take_member(members[i], i == 0, &to->members[i]))
            return false;
    }
    to->member_count = count;
    return true;
}

enum status rpc__report_decode(struct bytes body, struct node_report *ret_report) {
    upb_Arena *arena = upb_Arena_New();
    const phalanx_v1_GetReportResponse *response =
        phalanx_v1_GetReportResponse_parse(body.len == 0 ? "" : (const char *)body.data, body.len,
                                           arena);
    bool is_taken = response != NULL && take_report(response, ret_report);
    upb_Arena_Free(arena);
    return is_taken ? STATUS_OK : STATUS_CORRUPT;
}
