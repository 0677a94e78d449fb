package fsm

import (
	"context"
	"errors"

	"hongbao/schemas"
)

// Answer is what the issuer, or the pool in its place, said of one request.
type Answer uint8

// Done, OutOfStock, OutOfBudget and Refused are final: the issuer remembers them
// under the request's key and gives the same one for ever (F3).
const (
	NoAnswer    Answer = iota
	Done               // issued: this coupon id, once
	OutOfStock         // the kind has no piece left
	OutOfBudget        // the currency has too little left
	Refused            // the issuer will never issue this
	Transient          // certainly nothing happened; ask again
	Unknown            // it may have happened; ask again under the same key
	Absent             // of a Lookup: the issuer remembers nothing under this key
	NotSent            // of the pool: the task was not ready at the last moment, no attempt was made
)

var answerNames = [...]string{"no answer", "done", "out of stock", "out of budget", "refused", "transient", "unknown", "absent", "not sent"}

// String is the answer in words.
func (a Answer) String() string {
	if int(a) >= len(answerNames) {
		return "invalid answer"
	}
	return answerNames[a]
}

// Final says whether the issuer remembers this answer.
func (a Answer) Final() bool { return a >= Done && a <= Refused }

// Key is the idempotency key (X11). A coupon id belongs to one campaign, so the
// campaign only says where the answer is kept.
type Key struct {
	Campaign int64
	ID       schemas.CouponID
	Round    int32
}

// Request asks for one coupon.
type Request struct {
	ID          schemas.CouponID
	Round       int32
	Campaign    int64
	Beneficiary int64
	Kind        string // the campaign's name of the coupon
	ValueMinor  int64  // in the currency's minor unit, 0..2^53-1
	Currency    string
}

// Key is the request's idempotency key.
func (r *Request) Key() Key { return Key{Campaign: r.Campaign, ID: r.ID, Round: r.Round} }

// Result answers one request or key.
type Result struct {
	Answer Answer
	Detail string // a sentence, for Refused, Transient and Unknown
}

// Issuer issues coupons. Both methods are safe for concurrent use and fill
// results[i] for the i-th request or key; the two slices have one length.
type Issuer interface {
	// Issue is idempotent per key: it answers a remembered key as before, and else
	// takes one piece of stock and the value from the budget and remembers Done, or
	// takes nothing and remembers why. A request for the same key twice in a batch
	// counts once.
	//
	// With an error no result is final; each is Transient where certainly nothing
	// happened, else Unknown. ErrNotRebuilt: nothing happened, and nothing will
	// before the answers are restored.
	Issue(ctx context.Context, requests []Request, results []Result) error
	// Lookup only reads: the remembered answer, Absent, or Unknown while the issuer
	// may have forgotten (F5).
	Lookup(ctx context.Context, keys []Key, results []Result) error
}

// ErrNotRebuilt is wrapped by the error of an issuer whose memory is not known to
// hold every answer in the facts: emptied, failed over, or never filled. Whoever owns
// a partition declares and tops up its campaigns again and calls Rebuild for it.
var ErrNotRebuilt = errors.New("the issuer's memory is not rebuilt from facts (X10)")

// Stock keeps what may be issued, and the memory of what was. Every call may be made
// again, by any partition, in any order: each takes effect once.
type Stock interface {
	// Declare brings a campaign version's stock and budget. The first declares, a
	// later version changes by the difference to the one before, once; the same or
	// an older one changes nothing. A kind that the version does not name is
	// refused, a currency that it does not name has no limit.
	Declare(ctx context.Context, c *schemas.Campaign) error
	// TopUp raises stock or budget once per (campaign, number).
	TopUp(ctx context.Context, t TopUp) error
	// Missing are the partitions that have not restored their answers in this life
	// of the issuer's memory; none: the issuer issues.
	Missing(ctx context.Context) ([]int32, error)
	// Rebuild restores the final answers of one partition; each calls its argument
	// for every coupon that the facts show with a final answer in its present round.
	// Answers that the memory still has stay. Fold what the issuer has answered so far
	// before, and let ctx live long enough: a million answers take several seconds.
	Rebuild(ctx context.Context, partition int32, each func(yield func(Remembered) error) error) (Rebuilt, error)
}

// TopUp is a campaign change of that kind.
type TopUp struct {
	Campaign    int64
	Number      int64  // of the change, 1, 2, 3 ... per campaign
	Kind        string // coupon kind and pieces to add, or empty and 0
	Pieces      int64
	Currency    string // and budget to add, or empty and 0
	BudgetMinor int64
}

// Remembered is one final answer that facts tell of.
type Remembered struct {
	Key
	Answer     Answer // Final
	Kind       string // of Done: what it took
	ValueMinor int64
	Currency   string
}

// Rebuilt counts what Rebuild met.
type Rebuilt struct {
	Answers      int64 // that facts tell of
	Restored     int64 // that the memory had lost
	Contradicted int64 // that the memory had otherwise; Done wins over a refusal
}

// Counts is what an issuer knows of one campaign.
type Counts struct {
	Version int64 // declared, 0 if none is
	Kinds   []KindCount
	Budgets []BudgetCount
}

// KindCount is the stock of one coupon kind, in pieces. Declared includes top-ups;
// Left = Declared - Done is negative where a version lowered or dropped the kind, or a
// failover lost issued pieces (X10).
type KindCount struct {
	Kind                 string
	Declared, Done, Left int64
}

// BudgetCount is the budget of one currency in minor units. Limited is false where no
// budget is declared: then only Spent says something.
type BudgetCount struct {
	Currency              string
	Limited               bool
	Declared, Spent, Left int64
}
