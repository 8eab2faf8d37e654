/* CHECK: our own bugs end the process, in every build.
 *
 * What the world does wrong (a peer, a disk, a client) is an `enum status`, never a CHECK. */
#ifndef PHALANX_CHECK_H
#define PHALANX_CHECK_H

/* Ends the process with a line that names the place. */
_Noreturn void check_failed(const char *condition, const char *file, int line);

#define CHECK(condition) ((condition) ? (void)0 : check_failed(#condition, __FILE__, __LINE__))

/* The result must be looked at; an ignored one is written `(void)`, with the reason. */
#define MUST_USE __attribute__((warn_unused_result))

#endif
