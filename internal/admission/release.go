package admission

import (
	"context"
	"slices"

	"hongbao/internal/crashpoint"
)

// releaseMax bounds the releases that wait, releasePage those of one round trip.
const (
	releaseMax  = 1 << 16
	releasePage = 500
)

// Release gives back what refused events were granted, once the facts that refuse them are
// committed. It returns at once: the releases travel when Redis is there. Beyond 65,536 waiting
// ones it drops them and counts; such a claim stands until its event is released again, or Redis is emptied.
//
// It says how much of what the partition gave, under this owner or an earlier one, has not reached Redis; without
// releases it says only that.
func (o *Owner) Release(releases []Release) (waiting int) {
	g := o.gate
	rs := make([]release, 0, len(releases))
	for i := range releases {
		r := &releases[i]
		if r.Want&WantClaim != 0 {
			rs = append(rs, release{
				partition: o.partition, key: text(g.keys.appendClaim(nil, r.Campaign, r.User)),
				id: text(appendEvent(nil, o.partition, r.Event, r.Offset, true)),
			})
		}
		if r.Want&WantShare != 0 {
			rs = append(rs, release{
				partition: o.partition, share: true,
				key: text(g.keys.appendShare(nil, r.User, g.cfg.Limit.Bucket(r.EventTimeMS))),
				id:  text(appendPlace(appendField(nil, r.User), r.Event, r.Offset)),
			})
		}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	room := min(len(rs), releaseMax-len(g.releases))
	g.stats.Dropped += int64(len(rs) - room)
	g.releases = append(g.releases, rs[:room]...)
	g.pending[o.partition] += room
	if room > 0 {
		g.wake()
	}
	return g.pending[o.partition]
}

// Flush waits until every release given so far has reached Redis, for a shutdown in order.
func (g *Gate) Flush(ctx context.Context) error {
	for {
		g.mu.Lock()
		left, flushed := len(g.releases), g.flushed
		g.mu.Unlock()
		if left == 0 {
			return nil
		}
		select {
		case <-flushed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// giveBack sends a page of releases. They are compared with the holder, so they may be sent
// twice, under any epoch, to any server.
func (g *Gate) giveBack(ctx context.Context) (bool, error) {
	g.mu.Lock()
	rs := g.releases[:min(len(g.releases), releasePage)]
	g.mu.Unlock()
	if len(rs) == 0 {
		return false, nil
	}
	crashpoint.Hit("admission.release.before")
	n, err := g.server.release(ctx, rs)
	if err != nil {
		g.failed(ctx, writing, err)
		return false, err
	}
	crashpoint.Hit("admission.release.after")
	g.mu.Lock()
	defer g.mu.Unlock()
	g.worked(writing)
	g.stats.Released += n
	for i := range rs {
		g.pending[rs[i].partition]--
	}
	g.releases = slices.Delete(g.releases, 0, len(rs))
	if len(g.releases) == 0 {
		close(g.flushed)
		g.flushed = make(chan struct{})
	}
	return true, nil
}
