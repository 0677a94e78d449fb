package cascade

import (
	"cmp"
	"errors"
	"fmt"
	"iter"
	"slices"

	"hongbao/schemas"
)

// moment is one event of a cascade: the join of a node, or a share by it.
type moment struct {
	atMS    int64 // since the common start
	cascade int32
	node    int32
	share   bool
}

// Records makes the events of cascades: every cascade a chain, its root the seed user, who
// shares first; every edge a join of the child, and before an inviter's first join one
// share by that inviter at the same time, because the data does not say when it shared.
// All chains start together; the last event happens now (domain.md section 3).
//
// Counts are what hongbao must answer when nothing of the stream was sent before. Sent
// again, every record is a duplicate: the event ids are made of the data.
func Records(cascades []Cascade, cfg Config) (iter.Seq[*Record], *Counts, error) {
	if err := cfg.Validate(); err != nil {
		return nil, nil, err
	}
	if len(cascades) == 0 {
		return nil, nil, errors.New("cascades: there is no cascade to send")
	}
	moments := merge(cascades)
	startMS := cfg.NowMS - moments[len(moments)-1].atMS
	if startMS <= 0 {
		return nil, nil, fmt.Errorf("cascades: a span of %d ms ending at %d ms begins before 1970", cfg.NowMS-startMS, cfg.NowMS)
	}
	seq := func(yield func(*Record) bool) {
		m := newMaker(&cfg, "hongbao/cascades")
		trace := newDice(0, 2)
		for i := range moments {
			if !yield(m.moment(cascades, &moments[i], startMS, trace)) {
				return
			}
		}
	}
	return seq, expect(cascades, moments), nil
}

func (m *maker) moment(cascades []Cascade, at *moment, startMS int64, trace *dice) *Record {
	c := &cascades[at.cascade]
	n := &c.Nodes[at.node]
	e := schemas.Event{
		Kind: schemas.EventJoin, TimeMS: startMS + at.atMS, Trace: m.trace(trace),
		Campaign: m.cfg.Campaign, Chain: c.Root(), User: n.ID,
	}
	if at.share {
		e.Kind = schemas.EventShare
		e.ID = m.id('s', n.ID)
		e.CodeText = m.mint(e.Chain, n.ID)
	} else {
		e.ID = m.id('j', n.ID)
		e.CodeText = m.mint(e.Chain, c.Nodes[n.Parent].ID)
	}
	return m.record(&e, e.TimeMS)
}

// merge lists the events of all cascades in the order of the stream (K1, K2).
func merge(cascades []Cascade) []moment {
	var all []moment
	for i := range cascades {
		all = appendMoments(all, &cascades[i], int32(i))
	}
	slices.SortStableFunc(all, func(a, b moment) int { return cmp.Compare(a.atMS, b.atMS) })
	return all
}

func appendMoments(all []moment, c *Cascade, index int32) []moment {
	shared := make([]bool, len(c.Nodes))
	shared[0] = true
	all = append(all, moment{cascade: index, share: true})
	for _, i := range c.inTime() {
		n := &c.Nodes[i]
		if n.Parent < 0 {
			continue
		}
		if !shared[n.Parent] {
			shared[n.Parent] = true
			all = append(all, moment{atMS: n.AtMS, cascade: index, node: n.Parent, share: true})
		}
		all = append(all, moment{atMS: n.AtMS, cascade: index, node: i})
	}
	return all
}

// expect counts what hongbao must answer.
func expect(cascades []Cascade, moments []moment) *Counts {
	k := &Counts{}
	for i := range moments {
		if at := &moments[i]; at.share {
			k.Shares++
		} else {
			k.join(int(cascades[at.cascade].Nodes[at.node].Depth))
		}
	}
	for i := range cascades {
		for _, n := range cascades[i].children() {
			k.Coupons += int64(n) / directPerCoupon
		}
	}
	k.Records = k.Shares + k.Joins
	return k
}
