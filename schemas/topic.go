package schemas

// Topic is one of the ten topics, by its place in TopicNames.
type Topic uint8

// Inputs come first, so that a Topic below Inputs indexes Positions.
const (
	TopicEvents Topic = iota
	TopicCommands
	TopicControl
	TopicRetry1s
	TopicRetry5s
	TopicRetry30s
	TopicFacts
	TopicResults
	TopicCouponDead
	TopicInviteDead
	Topics
)

// Inputs is the number of topics that a worker reads.
const Inputs = int(TopicFacts)

var topicNames = [Topics]string{
	"invite.events", "coupon.commands", "hongbao.control",
	"coupon.retry.1s", "coupon.retry.5s", "coupon.retry.30s",
	"hongbao.facts", "coupon.results", "coupon.dead", "invite.dead",
}

// String is the topic's name without prefix, as positions and dead letters carry it.
func (t Topic) String() string { return topicNames[t] }

// Name is the topic's name under a prefix: "bench1." + "invite.events".
func (t Topic) Name(prefix string) string { return prefix + topicNames[t] }

// Positions are the next offsets to read of a partition's inputs, indexed by Topic.
type Positions [Inputs]int64

// Hash is the running hash of a partition's facts, one value per step.
type Hash [16]byte

// CouponID names a coupon and its voucher.
type CouponID [16]byte
