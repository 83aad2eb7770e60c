/* One direction of a capped link on the layout of netsim/dataplane: what a C compiler makes of the same.
 *
 * An entry of the ring is 80 bytes: when it arrives at the far end, its size in the high half of the
 * next word. The ring is a circle of chunks of four entries; chunks[c] is the first of the chunk after c.
 * `release` counts as departed what has left by now; `offer` settles a departure. */

#include <stdint.h>

#define NANOBITS_PER_BYTE 8000000000LL
#define ENTRY_WORDS 10
#define CHUNK_BITS 2
#define CHUNK (1 << CHUNK_BITS)

typedef struct {
    int64_t tokens, filled_at, backlog_bytes, egress_bytes, egress_packets, dropped_bytes, dropped_packets;
    int64_t released, released_slot, tail, tail_slot;
} link_state;

static int64_t next_slot(const int64_t *chunks, int64_t slot)
{
    return (slot + 1) & (CHUNK - 1) ? slot + 1 : chunks[slot >> CHUNK_BITS];
}

static void release(link_state *s, const int64_t *pool, const int64_t *chunks, int64_t now_ns, int64_t delay_ns)
{
    int64_t entry = s->released, slot = s->released_slot, departed = 0;
    while (entry < s->tail) {
        const int64_t *at = pool + slot * ENTRY_WORDS;
        if (at[0] - delay_ns > now_ns)
            break;
        departed += at[1] >> 32;
        entry++;
        slot = next_slot(chunks, slot);
    }
    s->backlog_bytes -= departed;
    s->egress_bytes += departed;
    s->egress_packets += entry - s->released;
    s->released = entry;
    s->released_slot = slot;
}

/* Offer n packets in order of arrival; departs_ns[i] is when each leaves, -1 for a drop. */
int64_t offer_all(int64_t n, const int64_t *at_ns, const int64_t *size_bytes, int64_t rate_bps, int64_t burst,
                  int64_t full_after_ns, int64_t queue_bytes, int64_t delay_ns, int64_t *pool,
                  const int64_t *chunks, int64_t *departs_ns)
{
    link_state s = {.tokens = burst};
    for (int64_t i = 0; i < n; i++) {
        const int64_t now = at_ns[i], size = size_bytes[i], cost = size * NANOBITS_PER_BYTE;
        release(&s, pool, chunks, now, delay_ns);
        int64_t start = s.filled_at > now ? s.filled_at : now;
        const int64_t elapsed = start - s.filled_at;
        int64_t have = burst;
        if (elapsed < full_after_ns && rate_bps * elapsed < burst - s.tokens)
            have = s.tokens + rate_bps * elapsed;
        if ((start > now || have < cost) && s.backlog_bytes + size > queue_bytes) {
            s.dropped_bytes += size;
            s.dropped_packets++;
            departs_ns[i] = -1;
            continue;
        }
        if (have < cost) {
            const int64_t wait = (cost - have + rate_bps - 1) / rate_bps;
            have += wait * rate_bps;
            start += wait;
        }
        s.tokens = have - cost;
        s.filled_at = start;
        s.backlog_bytes += size;
        int64_t *entry = pool + s.tail_slot * ENTRY_WORDS;
        entry[0] = start + delay_ns;
        entry[1] = size << 32;
        s.tail++;
        s.tail_slot = next_slot(chunks, s.tail_slot);
        departs_ns[i] = start;
    }
    return s.dropped_packets;
}
