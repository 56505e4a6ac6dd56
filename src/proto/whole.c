/* Whole messages in the input, see whole.h. */
#include "proto/whole.h"

#include <wslay/wslay.h>

static bool is_plain(unsigned first) {
    return first == (SPRY_FRAME_FIN | WSLAY_TEXT_FRAME) ||
           first == (SPRY_FRAME_FIN | WSLAY_BINARY_FRAME);
}

/* The least length that may be written in the form that `second` names (RFC 6455 section 5.2). */
static uint64_t least_of_form(unsigned second) {
    unsigned form = second & 0x7f;
    return form < 126 ? 0 : form == 126 ? 126 : 65536;
}

enum spry_find spry_whole_find(spry_slice in, bool is_client, size_t max, spry_whole *whole) {
    const unsigned char *head = (const unsigned char *)in.data;
    if (in.len < 2 || !is_plain(head[0])) return SPRY_FIND_OTHER;
    bool is_masked = head[1] & SPRY_FRAME_MASKED;
    size_t size = spry_frame_head_size(head, 2);
    if (is_masked == is_client || in.len < size) return SPRY_FIND_OTHER;
    uint64_t len = spry_frame_length(head);
    if (len < least_of_form(head[1]) || len > max) return SPRY_FIND_OTHER;
    whole->opcode = head[0] & SPRY_FRAME_OPCODE;
    whole->size = size + len;
    whole->payload = spry_slice_of(in.data + size, len);
    if (is_masked)
        memcpy(whole->mask, head + size - SPRY_MASK_SIZE, SPRY_MASK_SIZE);
    else
        memset(whole->mask, 0, SPRY_MASK_SIZE);
    return len <= in.len - size ? SPRY_FIND_WHOLE : SPRY_FIND_BEGUN;
}

void spry_whole_copy(const spry_whole *whole, char *to) {
    spry_frame_mask(to, whole->payload.data, whole->payload.len, whole->mask);
}
