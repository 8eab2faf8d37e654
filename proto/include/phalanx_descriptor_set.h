/* The descriptors of every proto this program speaks, for gRPC reflection.
 *
 * A serialized google.protobuf.FileDescriptorSet that also holds whatever the
 * protos import, each file after those it imports. The build embeds it. */
#ifndef PHALANX_DESCRIPTOR_SET_H
#define PHALANX_DESCRIPTOR_SET_H

#include <stddef.h>

extern const unsigned char phalanx_descriptor_set[];
extern const size_t phalanx_descriptor_set_len;

#endif
