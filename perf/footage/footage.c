#include "perf/footage/footage.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum {
    SYNC_BYTE = 0x47,
    STAMP_HZ = 90000,
    PES_STAMPS_AT = 7, /* flags, of the PES header (ISO/IEC 13818-1 §2.4.3.6) */
    PES_PTS_AT = 9,
};

struct footage_place {
    uint64_t hash;
    unsigned picture;
};

/* Offset of the payload; FOOTAGE_PACKET_BYTES: none. */
static size_t payload_at(const uint8_t *packet)
{
    bool has_field = (packet[3] & 0x20) != 0;
    size_t at = has_field ? 5u + packet[4] : 4u;

    return (packet[3] & 0x10) == 0 || at > FOOTAGE_PACKET_BYTES ? FOOTAGE_PACKET_BYTES : at;
}

static bool is_video_start(const uint8_t *packet)
{
    const uint8_t *payload = packet + payload_at(packet);

    return (packet[1] & 0x40) != 0 && payload + 4 <= packet + FOOTAGE_PACKET_BYTES &&
           payload[0] == 0 && payload[1] == 0 && payload[2] == 1 && (payload[3] & 0xf0) == 0xe0;
}

bool footage_packet_read(const uint8_t *packet, struct footage_packet *ret_packet)
{
    if (packet[0] != SYNC_BYTE) {
        return false;
    }
    *ret_packet = (struct footage_packet){
        .pid = (uint16_t)((packet[1] & 0x1f) << 8 | packet[2]),
        .has_payload = payload_at(packet) < FOOTAGE_PACKET_BYTES,
        .starts_picture = is_video_start(packet),
        .is_key = (packet[3] & 0x20) != 0 && packet[4] > 0 && (packet[5] & 0x40) != 0,
    };
    return true;
}

/* ---- pictures ---- */

/* FNV-1a. */
static uint64_t hash_of(const uint8_t *packet)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);

    for (size_t i = 0; i < FOOTAGE_PACKET_BYTES; i++) {
        hash = (hash ^ packet[i]) * UINT64_C(0x100000001b3);
    }
    return hash;
}

static int compare_places(const void *a, const void *b)
{
    const struct footage_place *one = a;
    const struct footage_place *two = b;

    return one->hash < two->hash ? -1 : one->hash > two->hash;
}

static int fail(char *error, const char *text)
{
    snprintf(error, FOOTAGE_ERROR_SIZE, "%s", text);
    return -EINVAL;
}

static int pictures_count(struct footage *footage, char *error)
{
    struct footage_packet packet;

    for (size_t at = 0; at < footage->len; at += FOOTAGE_PACKET_BYTES) {
        if (!footage_packet_read(footage->bytes + at, &packet)) {
            return fail(error, "it has packets of another size than 188, or is damaged");
        }
        if (packet.starts_picture && footage->video_pid == 0) {
            footage->video_pid = packet.pid;
        }
        footage->pictures_count += packet.starts_picture && packet.pid == footage->video_pid;
    }
    return footage->pictures_count > 0 && footage->pictures_count <= FOOTAGE_PICTURES_MAX
               ? 0
               : fail(error, "it has no video, or more pictures than 1048576");
}

static void pictures_fill(struct footage *footage)
{
    struct footage_picture *picture = NULL;
    struct footage_packet packet;
    unsigned count = 0;

    for (size_t at = 0; at < footage->len; at += FOOTAGE_PACKET_BYTES) {
        const uint8_t *bytes = footage->bytes + at;

        if (!footage_packet_read(bytes, &packet) || packet.pid != footage->video_pid ||
            !packet.has_payload) {
            continue;
        }
        if (packet.starts_picture) {
            picture = &footage->pictures[count];
            *picture = (struct footage_picture){.begin = at, .is_key = packet.is_key};
            footage->places[count] =
                (struct footage_place){.hash = hash_of(bytes), .picture = count};
            footage->keys_count += packet.is_key;
            count++;
        }
        if (picture != NULL) {
            picture->packets++;
            picture->end = at + FOOTAGE_PACKET_BYTES;
        }
    }
    qsort(footage->places, count, sizeof *footage->places, compare_places);
}

/* ---- time ---- */

/* False: the picture has no time stamp in its first packet. */
static bool pts_read(const uint8_t *packet, uint64_t *ret_pts)
{
    const uint8_t *pes = packet + payload_at(packet);

    if (pes + PES_PTS_AT + 5 > packet + FOOTAGE_PACKET_BYTES || (pes[PES_STAMPS_AT] & 0x80) == 0) {
        return false;
    }
    const uint8_t *pts = pes + PES_PTS_AT;

    *ret_pts = (uint64_t)(pts[0] >> 1 & 7) << 30 | (uint64_t)pts[1] << 22 |
               (uint64_t)(pts[2] >> 1) << 15 | (uint64_t)pts[3] << 7 | pts[4] >> 1;
    return true;
}

/* The span of all time stamps counts: those of B pictures are not in order. */
static double rate_of(const struct footage *footage)
{
    uint64_t least = UINT64_MAX;
    uint64_t most = 0;

    for (unsigned i = 0; i < footage->pictures_count; i++) {
        uint64_t pts;

        if (!pts_read(footage->bytes + footage->pictures[i].begin, &pts)) {
            return FOOTAGE_RATE_DEFAULT;
        }
        least = pts < least ? pts : least;
        most = pts > most ? pts : most;
    }
    double rate = most > least
                      ? (double)(footage->pictures_count - 1) * STAMP_HZ / (double)(most - least)
                      : 0;

    return rate >= 0.1 && rate <= 1000 ? rate : FOOTAGE_RATE_DEFAULT;
}

/* ---- life ---- */

int footage_of_bytes(uint8_t *bytes, size_t len, struct footage *ret_footage,
                     char error[static FOOTAGE_ERROR_SIZE])
{
    struct footage footage = {.bytes = bytes, .len = len - len % FOOTAGE_PACKET_BYTES};
    int failed = pictures_count(&footage, error);

    if (failed == 0) {
        footage.pictures = calloc(footage.pictures_count, sizeof *footage.pictures);
        footage.places = calloc(footage.pictures_count, sizeof *footage.places);
        failed = footage.pictures != NULL && footage.places != NULL ? 0 : -ENOMEM;
    }
    if (failed == -ENOMEM) {
        fail(error, "no memory");
    } else if (failed == 0) {
        pictures_fill(&footage);
        footage.rate = rate_of(&footage);
        failed = footage.keys_count > 0 ? 0 : fail(error, "none of its pictures is marked as key");
    }
    if (failed != 0) {
        footage_release(&footage);
        return failed;
    }
    *ret_footage = footage;
    return 0;
}

static int bytes_load(const char *path, uint8_t **ret_bytes, size_t *ret_len)
{
    FILE *file = fopen(path, "rbe");
    struct stat stat;

    if (file == NULL) {
        return -errno;
    }
    int failed = fstat(fileno(file), &stat) == 0 ? 0 : -errno;

    if (failed == 0 && (!S_ISREG(stat.st_mode) || stat.st_size > FOOTAGE_BYTES_MAX)) {
        failed = -EFBIG;
    }
    uint8_t *bytes = failed == 0 ? malloc((size_t)stat.st_size + 1) : NULL;

    if (failed == 0 && bytes == NULL) {
        failed = -ENOMEM;
    }
    if (failed == 0) {
        *ret_bytes = bytes;
        *ret_len = fread(bytes, 1, (size_t)stat.st_size, file);
    }
    fclose(file);
    return failed;
}

int footage_load(const char *path, struct footage *ret_footage,
                 char error[static FOOTAGE_ERROR_SIZE])
{
    char reason[FOOTAGE_ERROR_SIZE];
    uint8_t *bytes = NULL;
    size_t len = 0;
    int failed = bytes_load(path, &bytes, &len);

    if (failed != 0) {
        snprintf(error, FOOTAGE_ERROR_SIZE, "cannot read %.128s: %s", path, strerror(-failed));
        return failed;
    }
    failed = footage_of_bytes(bytes, len, ret_footage, reason);
    if (failed != 0) {
        snprintf(error, FOOTAGE_ERROR_SIZE, "cannot use %.128s: %.100s", path, reason);
    }
    return failed;
}

void footage_release(struct footage *footage)
{
    free(footage->bytes);
    free(footage->pictures);
    free(footage->places);
    *footage = (struct footage){.len = 0};
}

int footage_find(const struct footage *footage, const uint8_t *packet)
{
    struct footage_place wanted = {.hash = hash_of(packet)};
    const struct footage_place *place = bsearch(&wanted, footage->places, footage->pictures_count,
                                                sizeof *footage->places, compare_places);

    return place == NULL ? -1 : (int)place->picture;
}
