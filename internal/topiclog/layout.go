package topiclog

import (
	"strconv"

	"hongbao/schemas"
)

const (
	mib = 1 << 20
	// retentionMinMS is 30 days: what upstream sent can be judged again for that long.
	retentionMinMS = 30 * 24 * 3600 * 1000
	unlimited      = "-1"
)

// Options say which topics are meant and how they should be.
type Options struct {
	// Partitions of every topic. Default 16.
	Partitions int32
	// Dev asks for one replica and leaves min.insync.replicas alone. Implied when every
	// broker is on loopback.
	Dev bool
}

func (o Options) partitions() int32 {
	if o.Partitions <= 0 {
		return 16
	}
	return o.Partitions
}

// Setting is one setting of a topic, by Kafka's name.
type Setting struct {
	Name  string
	Value string
	// AtLeast accepts a larger number, and -1 where that means without limit.
	AtLeast bool
}

// TopicLayout is how one topic should be.
type TopicLayout struct {
	Topic       schemas.Topic
	Partitions  int32
	Replication int16 // at least
	Settings    []Setting
}

// Layout is how the ten topics should be. o.Dev is taken as given here.
func Layout(o Options) []TopicLayout {
	out := make([]TopicLayout, 0, schemas.Topics)
	for t := range schemas.Topics {
		l := TopicLayout{Topic: t, Partitions: o.partitions(), Replication: 3, Settings: settings(t)}
		if o.Dev {
			l.Replication = 1
		} else {
			l.Settings = append(l.Settings, Setting{Name: "min.insync.replicas", Value: "2", AtLeast: true})
		}
		out = append(out, l)
	}
	return out
}

func settings(t schemas.Topic) []Setting {
	retention := Setting{Name: "retention.ms", Value: unlimited}
	switch t {
	case schemas.TopicEvents, schemas.TopicControl,
		schemas.TopicRetry1s, schemas.TopicRetry5s, schemas.TopicRetry30s:
		retention = Setting{Name: "retention.ms", Value: strconv.Itoa(retentionMinMS), AtLeast: true}
	}
	bytes := 2 * mib
	switch t {
	case schemas.TopicEvents, schemas.TopicCommands, schemas.TopicControl:
		bytes = 4 * mib
	}
	return []Setting{
		{Name: "cleanup.policy", Value: "delete"},
		retention,
		{Name: "retention.bytes", Value: unlimited},
		{Name: "message.timestamp.type", Value: "LogAppendTime"},
		{Name: "max.message.bytes", Value: strconv.Itoa(bytes)},
	}
}

// holds says whether a found value satisfies the setting.
func (s Setting) holds(found string) bool {
	if found == s.Value {
		return true
	}
	if !s.AtLeast {
		return false
	}
	if found == unlimited {
		return true
	}
	have, err := strconv.ParseInt(found, 10, 64)
	if err != nil {
		return false
	}
	want, err := strconv.ParseInt(s.Value, 10, 64)
	return err == nil && have >= want
}

func (s Setting) wanted() string {
	if s.AtLeast {
		return "at least " + s.Value
	}
	return s.Value
}
