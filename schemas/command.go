package schemas

import (
	pb "hongbao/schemas/invitepb"

	"google.golang.org/protobuf/encoding/protojson"
)

// Command is one record of coupon.commands (message CouponCommand), flat so that neither encoding
// nor decoding allocates. After Decode its slices alias the encoded value.
type Command struct {
	CouponID    CouponID
	HasCouponID bool // false in a command of another service, which is given the id of its trigger C:command_id
	Campaign    int64
	Chain       int64
	Beneficiary int64
	Coupon      []byte // the campaign's name of the kind
	Rule        []byte // empty in a command of another service
	FactSeq     int64  // of the Accepted fact that granted it; 0 in a command of another service
	ValueMinor  int64  // in Currency's minor unit
	Currency    []byte
	ValidForMS  int64
	OrderID     []byte // of a purchase's reward
	CommandID   []byte // of another service's command, which has no FactSeq; unique per service
	Trace       []byte // traceparent, may be empty
	MAC         []byte // hongbao's signature, of a command with a FactSeq; see CommandSigner
}

// RewardCommand is the command of a reward that the Accepted fact of seq grants, unsigned. What no fact says, worth and validity, r must have from the
// campaign: see Campaign.Kind. Its slices alias those of v and r.
func RewardCommand(v *Verdict, r *Reward, seq int64) Command {
	return Command{
		CouponID: r.CouponID, HasCouponID: true, Campaign: v.Campaign, Chain: v.Chain, Beneficiary: r.Beneficiary,
		Coupon: r.Coupon, Rule: r.Rule, FactSeq: seq, ValueMinor: r.ValueMinor, Currency: r.Currency,
		ValidForMS: r.ValidForMS, OrderID: v.OrderID, Trace: v.Trace,
	}
}

// AppendCommand appends c as hongbao.invite.v1.CouponCommand and returns the extended buffer. It
// allocates nothing but dst's growth. CouponID is written if HasCouponID.
func AppendCommand(dst []byte, c *Command) []byte {
	if c.HasCouponID {
		dst = appendBytes(dst, 1, c.CouponID[:])
	}
	dst = appendInt(dst, 2, c.Campaign)
	dst = appendInt(dst, 3, c.Chain)
	dst = appendInt(dst, 4, c.Beneficiary)
	dst = appendBytes(dst, 5, c.Coupon)
	dst = appendBytes(dst, 6, c.Rule)
	dst = appendInt(dst, 7, c.FactSeq)
	dst = appendInt(dst, 8, c.ValueMinor)
	dst = appendBytes(dst, 9, c.Currency)
	dst = appendInt(dst, 10, c.ValidForMS)
	dst = appendBytes(dst, 11, c.OrderID)
	dst = appendBytes(dst, 12, c.CommandID)
	dst = appendBytes(dst, 13, c.Trace)
	return appendBytes(dst, 14, c.MAC)
}

// Decode decodes and checks a value of coupon.commands: Protobuf, without allocating, or the JSON
// of the same message if it begins with '{' (allocating). Whether the campaign and its coupon kind
// exist is for whoever knows them. The error is a *Poison; c is then unspecified.
func (c *Command) Decode(value []byte) error {
	if p := c.decode(value); p != nil {
		return p
	}
	return nil
}

func (c *Command) decode(value []byte) *Poison {
	if len(value) > MaxRecordBytes {
		return poison(pb.Reason_REASON_TOO_LARGE, "the value has %d bytes; a record has at most %d", len(value), MaxRecordBytes)
	}
	*c = Command{}
	if len(value) > 0 && value[0] == '{' {
		if p := c.fromJSON(value); p != nil {
			return p
		}
		return c.check()
	}
	w := wire{b: value}
	c.fields(&w)
	if w.why != "" {
		return poison(pb.Reason_REASON_UNDECODABLE, "%s", w.sentence("CouponCommand"))
	}
	return c.check()
}

func (c *Command) fields(w *wire) {
	for w.next() {
		switch w.tag {
		case 1<<3 | wireBytes:
			w.couponID(&c.CouponID)
			c.HasCouponID = len(w.s) > 0
		case 2<<3 | wireVarint:
			c.Campaign = w.int64()
		case 3<<3 | wireVarint:
			c.Chain = w.int64()
		case 4<<3 | wireVarint:
			c.Beneficiary = w.int64()
		case 5<<3 | wireBytes:
			c.Coupon = w.text()
		case 6<<3 | wireBytes:
			c.Rule = w.text()
		case 7<<3 | wireVarint:
			c.FactSeq = w.int64()
		case 8<<3 | wireVarint:
			c.ValueMinor = w.int64()
		case 9<<3 | wireBytes:
			c.Currency = w.text()
		case 10<<3 | wireVarint:
			c.ValidForMS = w.int64()
		case 11<<3 | wireBytes:
			c.OrderID = w.text()
		case 12<<3 | wireBytes:
			c.CommandID = w.text()
		case 13<<3 | wireBytes:
			c.Trace = w.text()
		case 14<<3 | wireBytes:
			c.MAC = w.s
		default:
			w.unknown(14)
		}
	}
}

// fromJSON goes by way of Protobuf: commands in JSON are written by hand or by a script, and one
// reading of the fields is enough.
func (c *Command) fromJSON(value []byte) *Poison {
	var m pb.CouponCommand
	if err := (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(value, &m); err != nil {
		return poison(pb.Reason_REASON_UNDECODABLE, "the value %s is no JSON CouponCommand: %s", quote(value), protoSentence(err))
	}
	*c = Command{
		HasCouponID: len(m.CouponId) > 0,
		Campaign:    m.Campaign, Chain: m.Chain, Beneficiary: m.Beneficiary,
		Coupon: []byte(m.Coupon), Rule: []byte(m.RuleId), FactSeq: m.FactSeq,
		ValueMinor: m.ValueMinor, Currency: []byte(m.Currency), ValidForMS: m.ValidForMs,
		OrderID: []byte(m.OrderId), CommandID: []byte(m.CommandId), Trace: []byte(m.Traceparent), MAC: m.Mac,
	}
	id := jsonID(m.CouponId)
	if len(id) != len(c.CouponID) && len(id) != 0 {
		return poison(pb.Reason_REASON_UNDECODABLE, "the coupon_id %s has %d bytes; want 16", quote(m.CouponId), len(m.CouponId))
	}
	copy(c.CouponID[:], id)
	return nil
}

func (c *Command) check() *Poison {
	if p := c.checkIDs(); p != nil {
		return p
	}
	if c.FactSeq < 0 || c.ValidForMS < 0 {
		return poison(pb.Reason_REASON_INVALID_FIELD, "fact_seq is %d and valid_for_ms %d; neither is negative", c.FactSeq, c.ValidForMS)
	}
	if p := checkAmount("value_minor", c.ValueMinor); p != nil {
		return p
	}
	if len(c.Currency) > 0 {
		if p := checkCurrency(c.Currency); p != nil {
			return p
		}
	}
	if len(c.Coupon) == 0 {
		return poison(pb.Reason_REASON_INVALID_FIELD, "coupon is empty; it names one of the campaign's coupon kinds")
	}
	if p := checkText("coupon", c.Coupon, MaxStringBytes); p != nil {
		return p
	}
	if p := checkText("rule_id", c.Rule, MaxStringBytes); p != nil {
		return p
	}
	if p := checkText("order_id", c.OrderID, MaxOrderIDBytes); p != nil {
		return p
	}
	c.Trace = traceparent(c.Trace)
	return checkText("command_id", c.CommandID, MaxStringBytes)
}

// checkIDs holds a command to one of its two shapes: hongbao's own has the fact and the coupon's
// id, another service's has a command id, from which the coupon's id is made.
func (c *Command) checkIDs() *Poison {
	if p := checkID("campaign", c.Campaign); p != nil {
		return p
	}
	if p := checkID("chain", c.Chain); p != nil {
		return p
	}
	if p := checkID("beneficiary", c.Beneficiary); p != nil {
		return p
	}
	own := c.FactSeq != 0
	if own != c.HasCouponID || own == (len(c.CommandID) > 0) {
		return poison(pb.Reason_REASON_INVALID_FIELD, "fact_seq is %d, coupon_id is given: %t, command_id is %s;"+
			" a command has either fact_seq and coupon_id (hongbao's own) or command_id (another service's)", c.FactSeq, c.HasCouponID, quote(c.CommandID))
	}
	return nil
}
