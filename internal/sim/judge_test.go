//go:build synctests

package sim

import (
	"hongbao/internal/verify"
)

func (s *sim) judge(bool) {
	r, err := verify.Run(s.ctx, verify.Config{Log: verify.OnKafka(s.tool), Group: group, Keys: s.keys})
	s.must(err)
	if !r.OK {
		s.fail("verify", "lag %d, open %d, %d broken: %v", r.Lag, r.Open, r.BrokenTotal, r.Broken)
	}
	s.result.Reached["facts"] += int(r.Facts)
	for k, v := range r.Verdicts {
		s.result.Reached[k] += int(v)
	}
	for k, v := range r.Coupons {
		s.result.Reached[k] += int(v)
	}
}
