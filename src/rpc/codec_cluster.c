#include "rpc/codec_cluster.h"

#include "rpc/channel.h"

#include "phalanx/v1/cluster.upb.h"

/* Room for an order or its parsed form. */
#define BLOCK_BYTES 2048

static grpc_slice copy_out(const char *data, size_t size) {
    CHECK(data != NULL);
    return grpc_slice_from_copied_buffer(data, size);
}

static const char *start_of(struct bytes body) {
    return body.len == 0 ? "" : (const char *)body.data;
}

bool rpc__copy_text(struct bytes text, char *ret_text, size_t size) {
    if (text.len >= size || (text.len > 0 && memchr(text.data, 0, text.len) != NULL))
        return false;
    if (text.len > 0)
        memcpy(ret_text, text.data, text.len);
    ret_text[text.len] = '\0';
    return true;
}

static bool take_text(upb_StringView view, char *ret_text, size_t size) {
    return rpc__copy_text(bytes_of(view.data, view.size), ret_text, size);
}

/* ---- Orders, out --------------------------------------------------------------------------- */

static phalanx_v1_MemberName *make_name(const struct rpc_member_name *from, upb_Arena *arena) {
    phalanx_v1_MemberName *name = phalanx_v1_MemberName_new(arena);
    CHECK(name != NULL);
    phalanx_v1_MemberName_set_id(name, from->id);
    phalanx_v1_MemberName_set_name(name, upb_StringView_FromString(from->name));
    return name;
}

static char *encode_add(const struct rpc_order *order, upb_Arena *arena, size_t *ret_size) {
    phalanx_v1_AddMemberRequest *request = phalanx_v1_AddMemberRequest_new(arena);
    CHECK(request != NULL);
    phalanx_v1_AddMemberRequest_set_member(request, make_name(&order->member, arena));
    phalanx_v1_AddMemberRequest_set_address(request, upb_StringView_FromString(order->address));
    return phalanx_v1_AddMemberRequest_serialize(request, arena, ret_size);
}

static char *encode_promote(const struct rpc_order *order, upb_Arena *arena, size_t *ret_size) {
    phalanx_v1_PromoteMemberRequest *request = phalanx_v1_PromoteMemberRequest_new(arena);
    CHECK(request != NULL);
    phalanx_v1_PromoteMemberRequest_set_member(request, make_name(&order->member, arena));
    return phalanx_v1_PromoteMemberRequest_serialize(request, arena, ret_size);
}

static char *encode_remove(const struct rpc_order *order, upb_Arena *arena, size_t *ret_size) {
    phalanx_v1_RemoveMemberRequest *request = phalanx_v1_RemoveMemberRequest_new(arena);
    CHECK(request != NULL);
    phalanx_v1_RemoveMemberRequest_set_member(request, make_name(&order->member, arena));
    return phalanx_v1_RemoveMemberRequest_serialize(request, arena, ret_size);
}

static char *encode_replace(const struct rpc_order *order, upb_Arena *arena, size_t *ret_size) {
    phalanx_v1_ReplaceMemberRequest *request = phalanx_v1_ReplaceMemberRequest_new(arena);
    CHECK(request != NULL);
    phalanx_v1_ReplaceMemberRequest_set_old_member(request, make_name(&order->member, arena));
    phalanx_v1_ReplaceMemberRequest_set_new_member(request, make_name(&order->next, arena));
    return phalanx_v1_ReplaceMemberRequest_serialize(request, arena, ret_size);
}

static char *encode_transfer(const struct rpc_order *order, upb_Arena *arena, size_t *ret_size) {
    phalanx_v1_TransferLeadershipRequest *request = phalanx_v1_TransferLeadershipRequest_new(arena);
    CHECK(request != NULL);
    phalanx_v1_TransferLeadershipRequest_set_member(request, make_name(&order->member, arena));
    return phalanx_v1_TransferLeadershipRequest_serialize(request, arena, ret_size);
}

static char *encode_order(const struct rpc_order *order, upb_Arena *arena, size_t *ret_size) {
    switch (order->kind) {
    case RPC_ORDER_ADD: return encode_add(order, arena, ret_size);
    case RPC_ORDER_PROMOTE: return encode_promote(order, arena, ret_size);
    case RPC_ORDER_REMOVE: return encode_remove(order, arena, ret_size);
    case RPC_ORDER_REPLACE: return encode_replace(order, arena, ret_size);
    case RPC_ORDER_TRANSFER: return encode_transfer(order, arena, ret_size);
    }
    CHECK(!"an order");
    return NULL;
}

grpc_slice rpc__order_encode(const struct rpc_order *order) {
    _Alignas(max_align_t) char block[BLOCK_BYTES];
    upb_Arena *arena = upb_Arena_Init(block, sizeof block, &upb_alloc_global);
    size_t size = 0;
    const char *data = encode_order(order, arena, &size);
    grpc_slice slice = copy_out(data, size);
    upb_Arena_Free(arena);
    return slice;
}

/* ---- Orders, in ---------------------------------------------------------------------------- */

static const char not_the_message[] = "the body is not the request's message";

static const char *take_name(const phalanx_v1_MemberName *from, struct rpc_member_name *to) {
    if (from == NULL)
        return NULL;
    to->id = phalanx_v1_MemberName_id(from);
    if (!take_text(phalanx_v1_MemberName_name(from), to->name, sizeof to->name))
        return "member.name: at most 63 bytes, none of them zero";
    return NULL;
}

static const char *decode_add(struct bytes body, upb_Arena *arena, struct rpc_order *order) {
    const phalanx_v1_AddMemberRequest *request =
        phalanx_v1_AddMemberRequest_parse(start_of(body), body.len, arena);
    if (request == NULL)
        return not_the_message;
    if (!take_text(phalanx_v1_AddMemberRequest_address(request), order->address,
                   sizeof order->address) ||
        (order->address[0] != '\0' && !rpc__address_is_valid(order->address)))
        return "address: host:port, or empty";
    return take_name(phalanx_v1_AddMemberRequest_member(request), &order->member);
}

static const char *decode_promote(struct bytes body, upb_Arena *arena, struct rpc_order *order) {
    const phalanx_v1_PromoteMemberRequest *request =
        phalanx_v1_PromoteMemberRequest_parse(start_of(body), body.len, arena);
    return request == NULL
               ? not_the_message
               : take_name(phalanx_v1_PromoteMemberRequest_member(request), &order->member);
}

static const char *decode_remove(struct bytes body, upb_Arena *arena, struct rpc_order *order) {
    const phalanx_v1_RemoveMemberRequest *request =
        phalanx_v1_RemoveMemberRequest_parse(start_of(body), body.len, arena);
    return request == NULL
               ? not_the_message
               : take_name(phalanx_v1_RemoveMemberRequest_member(request), &order->member);
}

static const char *decode_replace(struct bytes body, upb_Arena *arena, struct rpc_order *order) {
    const phalanx_v1_ReplaceMemberRequest *request =
        phalanx_v1_ReplaceMemberRequest_parse(start_of(body), body.len, arena);
    if (request == NULL)
        return not_the_message;
    const char *problem =
        take_name(phalanx_v1_ReplaceMemberRequest_old_member(request), &order->member);
    if (problem == NULL)
        problem = take_name(phalanx_v1_ReplaceMemberRequest_new_member(request), &order->next);
    return problem;
}

static const char *decode_transfer(struct bytes body, upb_Arena *arena, struct rpc_order *order) {
    const phalanx_v1_TransferLeadershipRequest *request =
        phalanx_v1_TransferLeadershipRequest_parse(start_of(body), body.len, arena);
    return request == NULL
               ? not_the_message
               : take_name(phalanx_v1_TransferLeadershipRequest_member(request), &order->member);
}

static const char *decode_order(struct bytes body, upb_Arena *arena, struct rpc_order *order) {
    switch (order->kind) {
    case RPC_ORDER_ADD: return decode_add(body, arena, order);
    case RPC_ORDER_PROMOTE: return decode_promote(body, arena, order);
    case RPC_ORDER_REMOVE: return decode_remove(body, arena, order);
    case RPC_ORDER_REPLACE: return decode_replace(body, arena, order);
    case RPC_ORDER_TRANSFER: return decode_transfer(body, arena, order);
    }
    return not_the_message;
}

static bool is_named(const struct rpc_member_name *name) {
    return name->id != 0 || name->name[0] != '\0';
}

static const char *check_names(const struct rpc_order *order) {
    if (order->kind != RPC_ORDER_TRANSFER && !is_named(&order->member))
        return order->kind == RPC_ORDER_REPLACE ? "old_member: an id or a name is needed"
                                                : "member: an id or a name is needed";
    if (order->kind == RPC_ORDER_REPLACE && !is_named(&order->next))
        return "new_member: an id or a name is needed";
    return NULL;
}

const char *rpc__order_decode(enum rpc_order_kind kind, struct bytes body,
                              struct rpc_order *ret_order) {
    _Alignas(max_align_t) char block[BLOCK_BYTES];
    upb_Arena *arena = upb_Arena_Init(block, sizeof block, &upb_alloc_global);
    struct rpc_order order = {.kind = kind};
    const char *problem = decode_order(body, arena, &order);
    upb_Arena_Free(arena);
    if (problem == NULL)
        problem = check_names(&order);
    if (problem == NULL)
        *ret_order = order;
    return problem;
}

/* ---- Members, out -------------------------------------------------------------------------- */

int32_t rpc__role_number(enum node_role role) {
    switch (role) {
    case NODE_FOLLOWER: return phalanx_v1_ROLE_FOLLOWER;
    case NODE_CANDIDATE: return phalanx_v1_ROLE_CANDIDATE;
    case NODE_LEADER: return phalanx_v1_ROLE_LEADER;
    case NODE_LEARNER: return phalanx_v1_ROLE_LEARNER;
    }
    return phalanx_v1_ROLE_UNSPECIFIED;
}

static int32_t gossip_number(enum node_gossip_state state) {
    switch (state) {
    case NODE_ALIVE: return phalanx_v1_GOSSIP_STATE_ALIVE;
    case NODE_SUSPECT: return phalanx_v1_GOSSIP_STATE_SUSPECT;
    case NODE_DEAD: return phalanx_v1_GOSSIP_STATE_DEAD;
    case NODE_LEFT: return phalanx_v1_GOSSIP_STATE_LEFT;
    }
    return phalanx_v1_GOSSIP_STATE_UNSPECIFIED;
}

static void fill_member(phalanx_v1_Member *to, const struct rpc_member *from) {
    phalanx_v1_Member_set_id(to, from->id);
    phalanx_v1_Member_set_name(to, upb_StringView_FromString(from->name));
    phalanx_v1_Member_set_role(to, rpc__role_number(from->role));
    phalanx_v1_Member_set_is_voter(to, from->is_voter);
    phalanx_v1_Member_set_is_leader(to, from->is_leader);
    phalanx_v1_Member_set_address(to, upb_StringView_FromString(from->address));
    if (from->has_progress) {
        phalanx_v1_Member_set_match_index(to, from->match_index);
        phalanx_v1_Member_set_lag(to, from->lag);
    }
    if (from->is_heard)
        phalanx_v1_Member_set_silent_ms(to, from->silent_ms);
    if (from->has_gossip)
        phalanx_v1_Member_set_gossip_state(to, gossip_number(from->gossip));
    phalanx_v1_Member_set_region(to, upb_StringView_FromString(from->region));
    phalanx_v1_Member_set_version(to, upb_StringView_FromString(from->version));
}

grpc_slice rpc__members_encode(const struct rpc_members *members) {
    upb_Arena *arena = upb_Arena_New();
    phalanx_v1_ListMembersResponse *response = phalanx_v1_ListMembersResponse_new(arena);
    CHECK(response != NULL && members->count <= MEMBERS_MAX);
    for (size_t i = 0; i < members->count; i++) {
        phalanx_v1_Member *member = phalanx_v1_ListMembersResponse_add_members(response, arena);
        CHECK(member != NULL);
        fill_member(member, &members->members[i]);
    }
    phalanx_v1_ListMembersResponse_set_configuration_index(response, members->configuration_index);
    phalanx_v1_ListMembersResponse_set_is_joint(response, members->is_joint);
    phalanx_v1_ListMembersResponse_set_term(response, members->term);
    phalanx_v1_ListMembersResponse_set_leader(response, members->leader);
    size_t size = 0;
    const char *data = phalanx_v1_ListMembersResponse_serialize(response, arena, &size);
    grpc_slice slice = copy_out(data, size);
    upb_Arena_Free(arena);
    return slice;
}

/* ---- Members, in --------------------------------------------------------------------------- */

enum node_role rpc__role_of(int32_t role) {
    switch (role) {
    case phalanx_v1_ROLE_LEADER: return NODE_LEADER;
    case phalanx_v1_ROLE_CANDIDATE: return NODE_CANDIDATE;
    case phalanx_v1_ROLE_LEARNER: return NODE_LEARNER;
    default: return NODE_FOLLOWER; /* a role of a later version is not one that leads */
    }
}

static void take_gossip(int32_t state, struct rpc_member *to) {
    to->has_gossip = true;
    switch (state) {
    case phalanx_v1_GOSSIP_STATE_ALIVE: to->gossip = NODE_ALIVE; break;
    case phalanx_v1_GOSSIP_STATE_SUSPECT: to->gossip = NODE_SUSPECT; break;
    case phalanx_v1_GOSSIP_STATE_DEAD: to->gossip = NODE_DEAD; break;
    case phalanx_v1_GOSSIP_STATE_LEFT: to->gossip = NODE_LEFT; break;
    default: to->has_gossip = false; break; /* none, or one of a later version */
    }
}

static bool take_member(const phalanx_v1_Member *from, struct rpc_member *to) {
    *to = (struct rpc_member){
        .id = phalanx_v1_Member_id(from),
        .role = rpc__role_of(phalanx_v1_Member_role(from)),
        .is_voter = phalanx_v1_Member_is_voter(from),
        .is_leader = phalanx_v1_Member_is_leader(from),
        .has_progress = phalanx_v1_Member_has_match_index(from),
        .match_index = phalanx_v1_Member_match_index(from),
        .lag = phalanx_v1_Member_lag(from),
        .is_heard = phalanx_v1_Member_has_silent_ms(from),
        .silent_ms = phalanx_v1_Member_silent_ms(from),
    };
    take_gossip(phalanx_v1_Member_gossip_state(from), to);
    return take_text(phalanx_v1_Member_name(from), to->name, sizeof to->name) &&
           take_text(phalanx_v1_Member_address(from), to->address, sizeof to->address) &&
           take_text(phalanx_v1_Member_region(from), to->region, sizeof to->region) &&
           take_text(phalanx_v1_Member_version(from), to->version, sizeof to->version);
}

static bool take_members(const phalanx_v1_ListMembersResponse *from, struct rpc_members *to) {
    size_t count = 0;
    const phalanx_v1_Member *const *members = phalanx_v1_ListMembersResponse_members(from, &count);
    *to = (struct rpc_members){
        .configuration_index = phalanx_v1_ListMembersResponse_configuration_index(from),
        .is_joint = phalanx_v1_ListMembersResponse_is_joint(from),
        .term = phalanx_v1_ListMembersResponse_term(from),
        .leader = phalanx_v1_ListMembersResponse_leader(from),
    };
    if (count > MEMBERS_MAX)
        return false;
    to->count = count;
    for (size_t i = 0; i < count; i++) {
        if (!take_member(members[i], &to->members[i]))
            return false;
    }
    return true;
}

enum status rpc__members_decode(struct bytes body, struct rpc_members *ret_members) {
    upb_Arena *arena = upb_Arena_New();
    const phalanx_v1_ListMembersResponse *response =
        phalanx_v1_ListMembersResponse_parse(start_of(body), body.len, arena);
    bool is_ok = response != NULL && take_members(response, ret_members);
    upb_Arena_Free(arena);
    return is_ok ? STATUS_OK : STATUS_CORRUPT;
}
