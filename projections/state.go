package projections

import (
	"errors"
	"fmt"

	"hongbao/schemas"
)

// Config is what Open needs besides the store. Zero fields take the defaults named.
type Config struct {
	// ColdDays of watermark without an event of or through a user, and the user leaves memory.
	// Default 7.
	ColdDays int

	// Campaigns remembers parsed campaign files, for all partitions of a process. May be nil.
	Campaigns *schemas.CampaignTexts
}

// Validate fills in defaults and refuses in sentences.
func (c *Config) Validate() error {
	if c.ColdDays == 0 {
		c.ColdDays = 7
	}
	if c.ColdDays < 0 || c.ColdDays > 365 {
		return fmt.Errorf("projections: cold days is %d: want 1 to 365", c.ColdDays)
	}
	return nil
}

// State is the state of one partition. It belongs to the partition's worker: nothing here is safe
// for concurrent use, and nothing waits but for the store.
type State struct {
	source
	cfg Config

	seq         int64 // of the last fact folded
	clockMS     int64
	watermarkMS int64

	campaigns []*campaign // by id
	last      *campaign   // the one asked for last

	orders map[orderKey]Order // changed since the last flush, or looked for in vain

	live        map[schemas.CouponID]*liveCoupon
	openCoupons int
	dueFromMS   int64 // EachDue finds nothing before
	seen        map[[16]byte]int64
	seenFromMS  int64 // no command id in the store is older

	probing bool
	guess   guess
	ruling  ruling
	ids     schemas.CouponIDs
	trigger []byte
}

func newState(store Store, cfg Config) *State {
	return &State{
		source: source{store: store},
		cfg:    cfg,
		orders: map[orderKey]Order{},
		live:   map[schemas.CouponID]*liveCoupon{},
		seen:   map[[16]byte]int64{},
		guess:  guess{round: 1},
	}
}

// Seq is the seq of the last fact folded; after Open, of the last one that was flushed: the facts
// after it are to be folded again (X2).
func (s *State) Seq() int64 { return s.seq }

// ClockMS is the worker clock of the last step, Unix milliseconds.
func (s *State) ClockMS() int64 { return s.clockMS }

// WatermarkMS is the highest accepted event time, Unix milliseconds.
func (s *State) WatermarkMS() int64 { return s.watermarkMS }

// Err is why the state cannot be used any more, nil while it can.
func (s *State) Err() error { return s.err }

var errNoStore = errors.New("projections: no store")
