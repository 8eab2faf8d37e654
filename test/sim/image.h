/* A copy of what is on a node's disk. */
#ifndef PHALANX_SIM_IMAGE_H
#define PHALANX_SIM_IMAGE_H

struct sim_disk;

/* The copy is a disk of its own with nothing under way; sim_image_free() or sim_image_restore()
 * takes it. */
struct sim_disk *sim_image_take(const struct sim_disk *disk);
void sim_image_free(struct sim_disk *image);

/* The disk holds again what it held then. The node is down. */
void sim_image_restore(struct sim_disk *disk, struct sim_disk *image);

#endif
