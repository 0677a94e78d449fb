package mutant

// Name names a planted bug, as HONGBAO_MUTANT does.
type Name string

// The planted bugs. What each does wrong stands in All.
const (
	OffsetBeforeFence Name = "offset-before-fence"
	UnstableFirst     Name = "unstable-first-start"
	PromisesIgnored   Name = "promises-ignored"
	EndNilTrusted     Name = "end-nil-trusted"
	AbortTrusted      Name = "abort-trusted"
	OffsetsOutside    Name = "offsets-outside"
	OlderOwnership    Name = "older-ownership"
	ByWriter          Name = "by-writer-name"
	SeqAlone          Name = "skip-without-hash"
	StateFirst        Name = "state-before-outbox"
	NoStepEnded       Name = "no-step-ended"
	IssueEarly        Name = "issue-before-commit"
	LateAnswer        Name = "late-answer"
	JitterEarly       Name = "jitter-early"
	IssuedAgain       Name = "issuer-not-idempotent"
	RedriveOldKey     Name = "redrive-old-key"
	ForeignFenced     Name = "foreign-fenced"
	ClaimKept         Name = "claim-not-released"
	ClaimOfOthers     Name = "claim-not-by-event"
	HashUnchecked     Name = "hash-unchecked"
	DepthOff          Name = "depth-off-by-one"
	SecondInviter     Name = "second-inviter"
	DeadOutside       Name = "dead-letter-outside"
	RetryAny          Name = "retry-any-attempt"
	ExpiryByEvent     Name = "expiry-by-event-time"
	RevokeWaits       Name = "revoke-waits"
	CheckpointOrphan  Name = "checkpoint-orphan"
	OutboxEarly       Name = "outbox-deleted-early"
	NotRebuilt        Name = "claims-not-rebuilt"
	CouponTwice       Name = "command-twice"
	OldMember         Name = "old-member-kept"
	ControlSkipped    Name = "control-skipped"
)

// Mutant is one planted bug.
type Mutant struct {
	Name  Name
	Rule  string // that it breaks
	Does  string // what goes wrong
	Focus string // of the simulation, for what its common draw brings about too seldom; empty: the common draw
	Seeds int    // that it took when last measured: a quick run leaves out those that took many
}

// All are the planted bugs, in the order of the table.
func All() []Mutant {
	return []Mutant{
		{OffsetBeforeFence, "X1, X5c", "the committed offset is read before the lane's id is initialised, unstable or not", "late requests", 2},
		{UnstableFirst, "X5c", "UNSTABLE_OFFSET_COMMIT with offset -1 is taken for a first start", "unstable", 2},
		{PromisesIgnored, "X6", "a record's promise is not read: Flush says nil, so it commits", "record refused", 1},
		{EndNilTrusted, "X6", "the offsets' error codes are not read: EndTransaction says nil, so it is committed", "", 3},
		{AbortTrusted, "X6", "after a commit without an answer TryAbort says nil, so the same steps are published again", "cut off", 6},
		{OffsetsOutside, "X4", "offsets are committed beside the transaction", "", 1},
		{OlderOwnership, "X7", "a newer generation is used under the ownership of when the steps were queued", "slow commits", 1},
		{ByWriter, "X5e", "a directory of our own that reaches to the committed seq is believed; (seq, hash) is not compared", "overtaken", 32},
		{SeqAlone, "X8, X5e", "a directory that stands lower than the committed seq is continued, whatever its hash", "overtaken", 2},
		{StateFirst, "X2", "nodes are written in a batch of their own before the step's entry", "", 2},
		{NoStepEnded, "X4, X8", "a step is published without its StepEnded", "", 1},
		{IssueEarly, "X11", "the issuer is asked before the ISSUING fact is committed", "", 1},
		{LateAnswer, "X11", "an answer of an earlier ownership, round or attempt is folded on what its task remembers", "issuer", 1},
		{JitterEarly, "domain.md section 6", "a retry is due up to 60 % early instead of 20 %", "", 2},
		{IssuedAgain, "X11", "the issuer does not look for the key before it takes a piece", "issuer", 1},
		{RedriveOldKey, "X11", "a redrive after a final refusal keeps its round", "", 2},
		{ForeignFenced, "X5c", "any open transaction is fenced, not those alone that are ours and block", "foreign", 1},
		{ClaimKept, "X10", "what was granted to a refused event is not given back", "claims", 2},
		{ClaimOfOthers, "X10", "a claim is released by user, not by the event that holds it", "claims", 1},
		{HashUnchecked, "X5d", "the hash of the last fact, and of a restored state, is not compared with the metadata", "offset forged", 1},
		{DepthOff, "domain.md section 2", "a join one level too deep is accepted", "", 5},
		{SecondInviter, "domain.md section 2", "a user who was invited is accepted below another inviter", "", 3},
		{DeadOutside, "X3", "a dead letter is sent at once, not by the outbox", "", 1},
		{RetryAny, "domain.md section 6", "a retry record acts on its coupon at whatever attempt", "", 3},
		{ExpiryByEvent, "domain.md section 3", "vouchers expire by event time, not by the worker clock", "", 2},
		{RevokeWaits, "X7", "the revoke callback waits for whoever works on the partition", "churn", 9},
		{CheckpointOrphan, "X5e", "a checkpoint is gone back to though the facts do not know its step", "overtaken", 2},
		{OutboxEarly, "X2", "an entry is deleted when its nodes are written, published or not", "", 145},
		{NotRebuilt, "X10", "after Redis was emptied the partition marks itself without writing its claims", "", 21},
		{CouponTwice, "domain.md section 6", "a command whose coupon exists makes it again", "", 2},
		{OldMember, "X7", "what was begun as one member goes on under the id of another", "given up", 12},
		{ControlSkipped, "domain.md section 6", "of the control commands of one step those behind the first that became a fact are passed over", "", 2},
	}
}

// Named is the planted bug of this name.
func Named(name Name) (m Mutant, ok bool) {
	for _, m := range All() {
		if m.Name == name {
			return m, true
		}
	}
	return Mutant{}, false
}
