package cascade

import (
	"errors"
	"fmt"
	"iter"
	"math"
)

// SyntheticConfig says what stream to generate.
type SyntheticConfig struct {
	Config

	Seed      uint64
	Events    int64     // records in all; required
	Chains    int       // required
	Mix       Mix       // default 30, 65, 5
	Reversals int64     // purchases reversed, in all; they take the place of purchases
	Duplicate float64   // per cent of the records sent again with the same event id
	Bad       float64   // per cent of the records that are refused or dead
	BadKinds  []BadKind // which, in turn; default all but Oversize
	Giant     float64   // part of the events, 0..0.9, that one chain has; default none
	SpanMS    int64     // event time of the stream; default 5 days
	Shape     Shape     // default Fitted
}

// Limits and defaults of a synthetic stream.
const (
	defaultSpanMS = 5 * 24 * 3600 * 1000 // below the 7 days after which users turn cold
	maxEvents     = math.MaxUint32 / 2   // ids are numbered in 32 bits
	maxTicks      = 1 << 20
	shareLimit    = 5 // accepted shares per user and hour (domain.md section 4)
)

// Validate fills the defaults and refuses what cannot work.
func (c *SyntheticConfig) Validate() error {
	if err := c.Config.Validate(); err != nil {
		return err
	}
	if c.Mix == (Mix{}) {
		c.Mix = Mix{Shares: 30, Joins: 65, Purchases: 5}
	}
	if c.SpanMS == 0 {
		c.SpanMS = defaultSpanMS
	}
	if c.Shape == (Shape{}) {
		c.Shape = Fitted()
	}
	if c.BadKinds == nil {
		c.BadKinds = defaultBadKinds()
	}
	switch regular := c.regular(); {
	case c.Events <= 0 || c.Events > maxEvents:
		return fmt.Errorf("synthetic: events %d: from 1 to %d", c.Events, int64(maxEvents))
	case !(c.Duplicate >= 0 && c.Bad >= 0 && c.Duplicate+c.Bad <= 90):
		return fmt.Errorf("synthetic: %v %% duplicates and %v %% bad: neither is negative, together at most 90", c.Duplicate, c.Bad)
	case c.Chains <= 0 || int64(c.Chains) > regular || c.Chains > math.MaxInt32:
		return fmt.Errorf("synthetic: chains %d: from 1 to the number of good events (%d), each begins with a share", c.Chains, regular)
	case !(c.Mix.Shares > 0 && c.Mix.Joins > 0 && c.Mix.Purchases >= 0):
		return fmt.Errorf("synthetic: mix %v: shares and joins are needed, purchases not negative", c.Mix)
	case float64(c.Chains) > float64(regular)*c.Mix.part(c.Mix.Shares):
		return fmt.Errorf("synthetic: chains %d: more seeds than shares in the mix of %d events", c.Chains, regular)
	case !(c.Giant >= 0 && c.Giant <= 0.9):
		return fmt.Errorf("synthetic: giant %v: the part of one chain is 0 to 0.9", c.Giant)
	case c.Reversals < 0 || float64(c.Reversals) > 0.2*float64(regular)*c.Mix.part(c.Mix.Purchases):
		return fmt.Errorf("synthetic: reversals %d: from 0 to a fifth of the purchases in the mix of %d events", c.Reversals, regular)
	case c.SpanMS <= 0 || c.SpanMS >= c.NowMS:
		return fmt.Errorf("synthetic: span %d ms: positive, and beginning after 1970", c.SpanMS)
	}
	return c.validateKinds()
}

func (c *SyntheticConfig) validateKinds() error {
	for _, k := range c.BadKinds {
		if k >= badKinds {
			return fmt.Errorf("synthetic: bad kind %d: there are %d", k, badKinds)
		}
	}
	if c.Bad > 0 && len(c.BadKinds) == 0 {
		return errors.New("synthetic: bad records wanted, but no kind of them")
	}
	return nil
}

func (c *SyntheticConfig) duplicates() int64 { return c.percent(c.Duplicate) }
func (c *SyntheticConfig) bads() int64       { return c.percent(c.Bad) }
func (c *SyntheticConfig) regular() int64    { return c.Events - c.duplicates() - c.bads() }

func (c *SyntheticConfig) percent(p float64) int64 {
	return int64(math.Round(float64(c.Events) * p / 100))
}

// Synthetic is a generated stream: chains of the fitted shape side by side.
type Synthetic struct {
	cfg    SyntheticConfig
	counts Counts
}

// NewSynthetic checks the configuration.
func NewSynthetic(cfg SyntheticConfig) (*Synthetic, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	return &Synthetic{cfg: cfg}, nil
}

// Records generates the stream from its beginning, each time the same (K4). It is not to be
// called again while a loop over it runs.
func (s *Synthetic) Records() iter.Seq[*Record] {
	return func(yield func(*Record) bool) {
		s.counts = Counts{}
		newRun(&s.cfg, &s.counts, yield).all()
	}
}

// Counts are what hongbao must answer to the records yielded so far, if nothing of the
// stream was sent before: complete once the loop over Records has ended. No good share
// exceeds the share limit. Of the two joins of ClaimedElsewhere exactly one is accepted.
func (s *Synthetic) Counts() *Counts { return &s.counts }
