/* Embeds the serialized descriptor set; see include/phalanx_descriptor_set.h.
 * Directives only, so the same file serves every 64-bit ELF machine. */
    .section .rodata
    .balign 16
    .global phalanx_descriptor_set
    .type phalanx_descriptor_set, STT_OBJECT
phalanx_descriptor_set:
    .incbin DESCRIPTOR_SET_FILE
.Lend:
    .size phalanx_descriptor_set, .Lend - phalanx_descriptor_set

    .balign 8
    .global phalanx_descriptor_set_len
    .type phalanx_descriptor_set_len, STT_OBJECT
    .size phalanx_descriptor_set_len, 8
phalanx_descriptor_set_len:
    .quad .Lend - phalanx_descriptor_set

    .section .note.GNU-stack, "", %progbits
