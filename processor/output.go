package processor

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strconv"

	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/protobuf/proto"

	"hongbao/internal/crashpoint"
	"hongbao/internal/mutant"
	"hongbao/schemas"
	pb "hongbao/schemas/invitepb"
)

// CloudEvents attributes of what hongbao writes itself.
const (
	specVersion  = "1.0"
	commandType  = "hongbao.invite.v1.CouponCommand"
	resultType   = "hongbao.invite.v1.CouponResult"
	deadBytesMax = recordBytesMax - 64<<10 // X3: a dead letter beyond it carries coordinates and a hash
)

// outputs is a worker's scratch for encoding what goes out beside the facts.
type outputs struct {
	command schemas.Command
	value   []byte
	key     []byte
	id      []byte
	source  []byte // ce_source of this partition: "/hongbao/<partition>"
}

// attributes appends CloudEvents' attributes and the traceparent of the event it comes from.
func (w *worker) attributes(t schemas.Topic, kind string, trace []byte) {
	n := 4
	if len(trace) > 0 {
		n++
	}
	w.draft.out(t, w.out.key, w.out.value, n)
	w.draft.header(headerSpecVersion, []byte(specVersion))
	w.draft.header(headerID, w.out.id)
	w.draft.header(headerSource, w.out.source)
	w.draft.header(headerType, []byte(kind))
	if len(trace) > 0 {
		w.draft.header(headerTrace, trace)
	}
}

// command writes the one command of a reward.
func (w *worker) command(v *schemas.Verdict, r *schemas.Reward) {
	o := &w.out
	o.command = schemas.RewardCommand(v, r, w.draft.seq)
	w.signer.Sign(&o.command)
	o.value = schemas.AppendCommand(o.value[:0], &o.command)
	o.key = schemas.AppendKey(o.key[:0], v.Chain)
	o.id = hex.AppendEncode(o.id[:0], r.CouponID[:])
	w.attributes(schemas.TopicCommands, commandType, v.Trace)
}

// message appends a generated message as the value of a record.
func (o *outputs) message(m proto.Message) error {
	var err error
	o.value, err = proto.MarshalOptions{Deterministic: true}.MarshalAppend(o.value[:0], m)
	return err
}

// deadLetter parks a record with origin and reason; nothing stops (X3).
func (w *worker) deadLetter(to, from schemas.Topic, r *kgo.Record, p *schemas.Poison) error {
	d := &pb.DeadLetter{
		OriginTopic: from.String(), OriginPartition: w.id, OriginOffset: r.Offset, Key: r.Key,
		Reason: p.Reason, Sentence: p.Sentence, Attempts: 1, FirstTimeMs: w.clockMS, LastTimeMs: w.clockMS,
		ValueBytes: int64(len(r.Value)),
	}
	d.Value = r.Value
	for _, h := range r.Headers {
		d.Headers = append(d.Headers, &pb.Header{Key: validUTF8(h.Key), Value: h.Value})
	}
	if proto.Size(d)+len(r.Key) > deadBytesMax { // the key travels twice
		sum := sha256.Sum256(r.Value)
		d.Value, d.Headers, d.ValueSha256 = nil, nil, sum[:]
		d.Key = r.Key[:min(len(r.Key), deadKeyMax)]
	}
	if err := w.out.message(d); err != nil {
		return w.impossible(err)
	}
	if mutant.On(mutant.DeadOutside) {
		w.x.plain.Produce(w.life.ctx, &kgo.Record{Topic: w.x.routes.names[to], Value: slices.Clone(w.out.value)}, nil)
	} else {
		w.draft.out(to, d.Key, w.out.value, 0)
	}
	crashpoint.Hit("dead.letter.after")
	w.x.metrics.deadLetter(to, p.Reason)
	return nil
}

// coupon in DEAD: one record in coupon.dead for every entry (domain.md section 1).
func (w *worker) deadCoupon(m *pb.CouponMoved, chain int64) error {
	w.out.key = schemas.AppendKey(w.out.key[:0], chain)
	d := &pb.DeadLetter{
		OriginTopic: schemas.TopicCommands.String(), OriginPartition: w.id, Key: w.out.key, Reason: m.Reason,
		Sentence: deadSentence(m), Attempts: m.Attempts, FirstTimeMs: w.clockMS, LastTimeMs: w.clockMS,
		CouponId: m.CouponId, ChainId: chain, Round: m.Round,
	}
	if err := w.out.message(d); err != nil {
		return w.impossible(err)
	}
	w.draft.out(schemas.TopicCouponDead, w.out.key, w.out.value, 0)
	w.x.metrics.deadLetter(schemas.TopicCouponDead, m.Reason)
	return nil
}

func deadSentence(m *pb.CouponMoved) string {
	s := "coupon " + hex.EncodeToString(m.CouponId) + " needs a person after " + strconv.Itoa(int(m.Attempts)) + " attempts"
	if m.LastError != "" {
		s += ": " + m.LastError
	}
	return s
}
