package projections

import (
	"encoding/binary"
	"fmt"

	"hongbao/schemas"
	pb "hongbao/schemas/invitepb"
)

// stateKey is the one key of SpaceMeta.
const (
	stateKey    = "state"
	stateFormat = 1
)

// Open loads what must be in memory: rules, users touched within ColdDays, open coupons. An empty
// store is a partition before its first fact.
func Open(store Store, cfg Config) (*State, error) {
	if store == nil {
		return nil, errNoStore
	}
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	s := newState(store, cfg)
	for _, load := range []func() error{s.openMeta, s.openCampaigns, s.openCounts, s.openTables, s.openLive} {
		if err := load(); err != nil {
			return nil, fmt.Errorf("open projections: %w", err)
		}
	}
	return s, nil
}

func (s *State) appendMeta(dst []byte) []byte {
	for _, v := range [...]int64{stateFormat, s.seq, s.clockMS, s.watermarkMS} {
		dst = appendInt(dst, v)
	}
	return dst
}

func (s *State) openMeta() error {
	s.key = append(s.key[:0], stateKey...)
	value, ok := s.get(SpaceMeta)
	if !ok {
		return s.err
	}
	r := recordReader{b: value}
	if format := r.int(); format != stateFormat {
		return fmt.Errorf("state has format %d, this program reads %d", format, stateFormat)
	}
	s.seq, s.clockMS, s.watermarkMS = r.int(), r.int(), r.int()
	s.today = dayOf(s.watermarkMS)
	return r.end("state")
}

func (s *State) openCampaigns() error {
	return s.store.Scan(SpaceCampaigns, nil, func(key, value []byte) error {
		if len(key) != 8 {
			return fmt.Errorf("%w: campaign key %x", errRecord, key)
		}
		c := newCampaign(int64(binary.BigEndian.Uint64(key)), &s.source) //nolint:gosec // as written
		s.insert(c)
		return c.readRules(value, s.cfg.Campaigns)
	})
}

func (s *State) openCounts() error {
	for _, c := range s.campaigns {
		s.key = campaignKey(s.key[:0], c.id)
		value, ok := s.get(SpaceCounts)
		if !ok {
			return orElse(s.err, "%w: campaign %d has no counts", errRecord, c.id)
		}
		if err := c.readCounts(value); err != nil {
			return err
		}
	}
	return nil
}

func (s *State) openTables() error {
	for _, c := range s.campaigns {
		if err := s.openMembers(c); err != nil {
			return err
		}
		if err := c.inviters.load(0, inviterShift, func(_ uint32, m pageMeta, _ *inviterPage) bool { return !s.isCold(m.day) }); err != nil {
			return err
		}
		if err := c.chains.load(0, chainShift, func(_ uint32, m pageMeta, _ *chainPage) bool { return !s.isCold(m.day) }); err != nil {
			return err
		}
		if err := s.openShares(c); err != nil {
			return err
		}
	}
	return s.err
}

// openMembers leaves those pages in the store that are cold and have their keys: the sieve then
// knows their members, the index those of all others.
func (s *State) openMembers(c *campaign) error {
	n := 0
	err := c.members.load(0, memberShift, func(_ uint32, m pageMeta, p *memberPage) bool {
		if m.flags&pageKeyed != 0 {
			c.sieveIn(p)
			if s.isCold(m.day) {
				return false
			}
		}
		n += memberPageLen
		return true
	})
	if err == nil {
		c.rebuildUsers(n)
	}
	return err
}

func (s *State) openShares(c *campaign) error {
	n := 0
	for range c.shareFloor {
		c.shareInfo = append(c.shareInfo, sharePageInfo{})
	}
	err := c.shares.load(c.shareFloor, shareShift, func(pg uint32, m pageMeta, p *sharePage) bool {
		for i := range p {
			if p[i].seq != 0 {
				c.noteShare(pg, &p[i])
				n += count(p[i].lives(s.watermarkMS))
			}
		}
		c.shareInfo[pg].day = m.day
		return false
	})
	if err == nil && n > 0 {
		c.shareIDs.live = n
		c.rebuildShares(s.watermarkMS)
	}
	return err
}

// openLive brings the open coupons to memory.
func (s *State) openLive() error {
	s.dueFromMS, s.seenFromMS = 0, 0
	var ids []schemas.CouponID
	for _, st := range []pb.CouponState{pb.CouponState_COUPON_STATE_PENDING, pb.CouponState_COUPON_STATE_VALIDATING, pb.CouponState_COUPON_STATE_ISSUING} {
		err := s.store.Scan(SpaceCouponStates, []byte{byte(st)}, func(key, _ []byte) error { //nolint:gosec // states are few
			id, err := idOf(key, 1)
			ids = append(ids, id)
			return err
		})
		if err != nil {
			return err
		}
	}
	for _, id := range ids {
		k, err := s.coupon(id)
		if err != nil || k == nil {
			return orElse(err, "%w: coupon %s is listed as open and missing", errRecord, id)
		}
		s.live[id] = &liveCoupon{Coupon: k, stored: k.indexKeys()}
		s.openCoupons += count(k.isOpen())
	}
	return nil
}
