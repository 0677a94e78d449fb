package projections

import (
	"hongbao/schemas"
	pb "hongbao/schemas/invitepb"
)

// Config is what Open needs besides the store. Zero fields take the defaults named.
type Config struct {
	ColdDays int // days of watermark after which an untouched user leaves memory; default 7
}

func (c *Config) Validate() error { return nil }

// State is one partition's state.
type State struct{}

func Open(store Store, cfg Config) (*State, error) { return &State{}, nil }

func (s *State) Probe(e *schemas.Event) Ask                                    { return 0 }
func (s *State) EndProbe()                                                     {}
func (s *State) Decide(e *schemas.Event, a Answer, v *schemas.Verdict) Outcome { return Broken }
func (s *State) Err() error                                                    { return nil }
func (s *State) Fold(f *schemas.Fact) error                                    { return nil }
func (s *State) Flush(w Writer) error                                          { return nil } // everything changed since the last one; X2 allows one a second
func (s *State) Evict() int                                                    { return 0 }   // after the commit of a Flush's batch
func (s *State) Hash() ([16]byte, error)                                       { return [16]byte{}, nil }
func (s *State) Seq() int64                                                    { return 0 } // of the last fact folded; after Open, of the last Flush
func (s *State) ClockMS() int64                                                { return 0 }
func (s *State) WatermarkMS() int64                                            { return 0 }
func EventHash(e *schemas.Event) [16]byte                                      { return [16]byte{} }

// CampaignState is a campaign as this partition knows it.
type CampaignState struct {
	Rules        *schemas.Campaign // the version in force
	ActivatedSeq int64
	Paused       bool
	Stopped      bool
	Change       int64 // number of the last change; 0 before the first
	TopUps       []TopUp
}

// TopUp is a change that raised stock or budget.
type TopUp struct {
	Number                  int64
	Coupon, Currency        string
	StockDelta, BudgetMinor int64
}

func (s *State) Campaign(id int64) (*CampaignState, bool) { return nil, false }
func (s *State) EachCampaign(fn func(*CampaignState))     {}

type Claim struct{ Campaign, User, Chain, Seq int64 }
type Share struct {
	Campaign, Chain, User, TimeMS, Seq int64
	Event                              [16]byte
}

func (s *State) EachClaim(fn func(Claim) error) error                     { return nil }
func (s *State) EachShareSince(sinceMS int64, fn func(Share) error) error { return nil }

// ShareIDs appends the EventHash of the user's accepted shares with fromMS <= event time < untilMS.
func (s *State) ShareIDs(user, fromMS, untilMS int64, dst [][16]byte) ([][16]byte, error) {
	return dst, nil
}

type Order struct {
	Seq, Chain, Buyer int64
	ReversedSeq       int64 // 0: not reversed
	Granted           int32 // rewards of the purchase
}

func (s *State) Order(campaign int64, orderID []byte) (Order, bool, error) {
	return Order{}, false, nil
}

// Coupon is a coupon and its voucher.
type Coupon struct {
	ID                                    schemas.CouponID
	State                                 pb.CouponState
	Voucher                               pb.VoucherState
	Campaign, Chain, Beneficiary, FactSeq int64
	Kind, Rule, OrderID, CommandID, Trace string
	ValueMinor, ValidForMS                int64
	Currency                              string
	Attempts, Round, Transition           int32
	DueMS, VoucherExpiresMS               int64
	CreatedMS                             int64
	Reason                                schemas.Reason
	FirstError, LastError                 string
	OrderReversed                         bool
	Operator                              string
}

func (s *State) Coupon(id schemas.CouponID) (*Coupon, bool, error)                 { return nil, false, nil }
func (s *State) Open() int                                                         { return 0 }
func (s *State) EachIssuing(fn func(*Coupon) error) error                          { return nil }
func (s *State) EachDue(nowMS int64, limit int, fn func(*Coupon) error) error      { return nil }
func (s *State) EachExpiring(nowMS int64, limit int, fn func(*Coupon) error) error { return nil }
func (s *State) OrderCoupons(campaign int64, orderID []byte, fn func(*Coupon) error) error {
	return nil
}
func (s *State) EachCoupon(fn func(*Coupon) error) error { return nil }
func (s *State) Seen(commandID string) (bool, error)     { return false, nil }
