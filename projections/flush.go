package projections

import (
	"bytes"
	"slices"
)

// Flush writes all that has changed since the last one, so that the store stands at Seq as a
// whole. It may come as seldom as X2 allows: at open the facts since are folded again. Commit the
// batch before anything else is called.
func (s *State) Flush(w Writer) error {
	if s.err != nil {
		return s.err
	}
	for _, c := range s.campaigns {
		if err := s.flushCampaign(c, w); err != nil {
			return err
		}
	}
	s.flushOrders(w)
	s.flushCoupons(w)
	if err := s.flushSeen(w); err != nil {
		s.fail(err)
		return err
	}
	w.Set(SpaceMeta, []byte(stateKey), s.appendMeta(s.value[:0]))
	return s.err
}

func (s *State) flushCampaign(c *campaign, w Writer) error {
	s.writeColdKeys(c, w)
	s.dropShares(c, w)
	c.members.flush(w)
	c.inviters.flush(w)
	c.chains.flush(w)
	c.shares.flush(w)
	if c.ruled {
		s.value = c.appendRules(s.value[:0])
		w.Set(SpaceCampaigns, campaignKey(nil, c.id), s.value)
	}
	if c.changed {
		s.value = c.appendCounts(s.value[:0])
		w.Set(SpaceCounts, campaignKey(nil, c.id), s.value)
	}
	c.ruled, c.changed = false, false
	return s.err
}

func (s *State) flushOrders(w Writer) {
	for _, k := range s.orderKeys() {
		o := s.orders[k]
		s.value = o.appendTo(s.value[:0])
		w.Set(SpaceOrders, k[:], s.value)
	}
	clear(s.orders)
}

// orderKeys are those of the orders to be written, sorted.
func (s *State) orderKeys() []orderKey {
	keys := make([]orderKey, 0, len(s.orders))
	for k, o := range s.orders {
		if o.Seq != 0 {
			keys = append(keys, k)
		}
	}
	slices.SortFunc(keys, func(a, b orderKey) int { return bytes.Compare(a[:], b[:]) })
	return keys
}
