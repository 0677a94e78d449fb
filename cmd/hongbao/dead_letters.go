package main

import (
	"context"
	"fmt"
	"io"

	"google.golang.org/protobuf/proto"

	"hongbao/internal/topiclog"
	"hongbao/schemas"
	pb "hongbao/schemas/invitepb"
)

// deadRecord is one dead letter without its payload.
type deadRecord struct {
	Letter          string `json:"letter"` // PARTITION/OFFSET on invite.dead or coupon.dead
	OriginTopic     string `json:"origin_topic"`
	OriginPartition int32  `json:"origin_partition"`
	OriginOffset    int64  `json:"origin_offset"`
	Key             string `json:"key"`
	Reason          string `json:"reason"`
	Sentence        string `json:"sentence"`
	Since           string `json:"since"` // RFC 3339, UTC

	reason schemas.Reason
}

func newDeadRecord(r *topiclog.Record, d *pb.DeadLetter) deadRecord {
	return deadRecord{
		Letter: letterName(r), OriginTopic: d.GetOriginTopic(), OriginPartition: d.GetOriginPartition(), OriginOffset: d.GetOriginOffset(),
		Key: schemas.ShortText(string(d.GetKey())), Reason: reasonName(d.GetReason()), Sentence: d.GetSentence(), Since: utc(d.GetFirstTimeMs()),
		reason: d.GetReason(),
	}
}

func (d *deadRecord) record() *deadRecord { return d }

func letterName(r *topiclog.Record) string { return fmt.Sprintf("%d/%d", r.Partition, r.Offset) }

func (d *deadRecord) show(w io.Writer) {
	fmt.Fprintf(w, "record %s of %s/%d offset %d, key %q, %s since %s: %s\n",
		d.Letter, d.OriginTopic, d.OriginPartition, d.OriginOffset, d.Key, d.Reason, d.Since, d.Sentence)
}

// redrivable: a letter holds the record whole unless it was too big (X3), and a key says to which partition it belongs.
func redrivable(d *pb.DeadLetter) bool {
	return len(d.GetKey()) > 0 && int64(len(d.GetValue())) == d.GetValueBytes() && d.GetReason() != pb.Reason_REASON_TOO_LARGE
}

func letterHeaders(d *pb.DeadLetter) []topiclog.Header {
	headers := make([]topiclog.Header, len(d.GetHeaders()))
	for i, h := range d.GetHeaders() {
		headers[i] = topiclog.Header{Key: h.GetKey(), Value: h.GetValue()}
	}
	return headers
}

// eachLetter calls fn for every dead letter of a topic, in order within a partition.
func eachLetter(ctx context.Context, log *topiclog.Client, t schemas.Topic, fn func(*topiclog.Record, *pb.DeadLetter) error) error {
	return log.Read(ctx, t, topiclog.ReadOptions{}, func(r *topiclog.Record) error {
		d := new(pb.DeadLetter)
		if err := proto.Unmarshal(r.Value, d); err != nil {
			return fmt.Errorf("%s/%d offset %d is no dead letter: %w", r.Topic, r.Partition, r.Offset, err)
		}
		return fn(r, d)
	})
}
