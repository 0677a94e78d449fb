package admission

import (
	"context"
	"errors"
	"fmt"

	"hongbao/internal/crashpoint"
)

// Rebuild writes the partition's claims and recent shares into Redis, if the epoch in force wants
// them, and marks the partition as rebuilt. It does not wait for Redis: when a write fails, nothing
// is returned and Wanted is ready again later. The same rule holds as for Admit: no answer of an
// earlier Admit may be waiting to be folded. An error is that of ctx or of the Source.
func (o *Owner) Rebuild(ctx context.Context) (Rebuilt, error) {
	e, _, behind := o.position()
	if !behind {
		return Rebuilt{}, nil
	}
	return o.rebuild(ctx, e)
}

// errStopped ends a walk through the state when Redis failed or moved on.
var errStopped = errors.New("admission: the rebuild was stopped")

// rebuild writes everything once. It ends early, with nothing, where Redis fails or holds
// another epoch than e: then it begins again from the first claim.
func (o *Owner) rebuild(ctx context.Context, e epoch) (Rebuilt, error) {
	r := Rebuilt{Epoch: e.number}
	err := o.writeClaims(ctx, e, &r)
	if err == nil {
		err = o.writeShares(ctx, e, &r)
	}
	if err == nil {
		err = o.mark(ctx, e)
	}
	if ctx.Err() != nil {
		return Rebuilt{}, ctx.Err()
	}
	if errors.Is(err, errStopped) {
		return Rebuilt{}, nil
	}
	if err != nil {
		return Rebuilt{}, fmt.Errorf("admission: partition %d is rebuilt in Redis from its state: %w", o.partition, err)
	}
	return r, nil
}

func (o *Owner) writeClaims(ctx context.Context, e epoch, r *Rebuilt) error {
	pg := &o.page
	pg.reset(len(o.gate.keys.claim))
	var ids [pageMax]struct{ campaign, user, chain int64 }
	flush := func() error {
		met, ok, err := o.gate.server.claims(ctx, e, pg)
		if err := o.written(ctx, ok, err); err != nil {
			return err
		}
		r.Claims += int64(len(pg.keys))
		crashpoint.Hit("admission.rebuild.after")
		o.gate.rebuilt(int64(len(pg.keys)), 0)
		err = eachRefusal(met, len(pg.keys), func(i int, _ byte, value string) error {
			other, ok := parseHolder(value)
			if !ok {
				return errReply
			}
			o.gate.conflict(r, Conflict{Campaign: ids[i].campaign, User: ids[i].user, Chain: ids[i].chain, Other: other})
			return nil
		})
		pg.reset(0)
		return err
	}
	err := o.src.Claims(func(c Claim) error {
		i := len(pg.keys)
		ids[i].campaign, ids[i].user, ids[i].chain = c.Campaign, c.User, c.Chain
		known := c.Event != EventID{}
		pg.add(
			func(b []byte) []byte { return o.gate.keys.appendClaim(b, c.Campaign, c.User) },
			func(b []byte) []byte { return appendValue(b, e.tag(), c.Chain, o.partition, c.Event, c.Offset, known) },
		)
		if pg.full() {
			return flush()
		}
		return nil
	})
	if err != nil || len(pg.keys) == 0 {
		return err
	}
	return flush()
}

func (o *Owner) writeShares(ctx context.Context, e epoch, r *Rebuilt) error {
	pg := &o.page
	pg.reset(len(o.gate.keys.share))
	flush := func() error {
		ok, err := o.gate.server.shares(ctx, e, pg)
		if err := o.written(ctx, ok, err); err != nil {
			return err
		}
		r.Shares += int64(len(pg.keys))
		o.gate.rebuilt(0, int64(len(pg.keys)))
		pg.reset(0)
		return nil
	}
	limit := o.gate.cfg.Limit
	since := o.gate.cfg.Now().UnixMilli() - bucketExpiryMS // an hour more than Limit.Old leaves to Redis
	err := o.src.Shares(since, func(s Share) error {
		pg.add(
			func(b []byte) []byte { return o.gate.keys.appendShare(b, s.User, limit.Bucket(s.EventTimeMS)) },
			func(b []byte) []byte { return appendPlace(appendField(b, s.User), s.Event, factOffset) },
		)
		if pg.full() {
			return flush()
		}
		return nil
	})
	if err != nil || len(pg.keys) == 0 {
		return err
	}
	return flush()
}

// mark says that everything is written; from then on the partition stands in e.
func (o *Owner) mark(ctx context.Context, e epoch) error {
	crashpoint.Hit("admission.mark.before")
	s, err := o.gate.server.mark(ctx, e, o.partition)
	crashpoint.Hit("admission.mark.after")
	if err := o.written(ctx, err == nil && o.gate.marked(e, s, o.partition), err); err != nil {
		return err
	}
	o.gate.mu.Lock()
	defer o.gate.mu.Unlock()
	o.epoch = e.nonce
	return nil
}

// written turns what a script said into the end of the rebuild, or nil.
func (o *Owner) written(ctx context.Context, ok bool, err error) error {
	if ctx.Err() != nil {
		return ctx.Err() // Redis is not to blame
	}
	if err != nil {
		o.gate.failed(ctx, writing, err)
		return errStopped
	}
	if !ok {
		o.gate.doubt()
		return errStopped
	}
	return nil
}

func (g *Gate) rebuilt(claims, shares int64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.worked(writing)
	g.stats.RebuiltClaims += claims
	g.stats.RebuiltShares += shares
}

func (g *Gate) conflict(r *Rebuilt, c Conflict) {
	r.Conflicts++
	if len(r.First) < conflictsKept {
		r.First = append(r.First, c)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.stats.Conflicts++
	if r.Conflicts <= conflictsKept {
		g.cfg.Logger.Error("admission: facts put a user into two chains: Redis lost an acknowledged claim (X10)",
			"campaign", c.Campaign, "user", c.User, "chain", c.Chain, "other_chain", c.Other.Chain,
			"other_partition", c.Other.Partition, "other_offset", c.Other.Offset)
	}
}
