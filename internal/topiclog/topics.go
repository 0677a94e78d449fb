package topiclog

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"hongbao/schemas"
)

// Finding is one way in which a topic is not as it should be.
type Finding struct {
	Topic   string `json:"topic"`
	Setting string `json:"setting"`
	Found   string `json:"found"`
	Wanted  string `json:"wanted"`
}

// String is the sentence of a refusal.
func (f Finding) String() string {
	return fmt.Sprintf("topic %s: %s is %s, wanted %s", f.Topic, f.Setting, f.Found, f.Wanted)
}

// Create makes the topics that are missing and returns their names. Existing ones are left
// as they are: Check tells whether they will do.
func (c *Client) Create(ctx context.Context, o Options) ([]string, error) {
	layout, err := c.layout(ctx, o)
	if err != nil {
		return nil, err
	}
	var created []string
	for _, l := range layout {
		configs := make(map[string]*string, len(l.Settings))
		for _, s := range l.Settings {
			configs[s.Name] = new(s.Value)
		}
		name := c.Name(l.Topic)
		answers, err := c.adm.CreateTopics(ctx, l.Partitions, l.Replication, configs, name)
		if err != nil {
			return created, fmt.Errorf("topiclog: create topic %s: %w", name, err)
		}
		a, ok := answers[name]
		switch {
		case !ok:
			return created, fmt.Errorf("topiclog: create topic %s: the broker did not answer for it", name)
		case errors.Is(a.Err, kerr.TopicAlreadyExists):
		case errors.Is(a.Err, kerr.InvalidReplicationFactor):
			return created, fmt.Errorf("topiclog: create topic %s with %d replicas: %w (fewer brokers than that? --dev asks for one replica): %s",
				name, l.Replication, a.Err, a.ErrMessage)
		case a.Err != nil:
			return created, fmt.Errorf("topiclog: create topic %s: %w: %s", name, a.Err, a.ErrMessage)
		default:
			created = append(created, name)
		}
	}
	return created, c.visible(ctx, created)
}

// visible waits until the brokers show new topics with their leaders: metadata follows the
// creation after some milliseconds.
func (c *Client) visible(ctx context.Context, names []string) error {
	for _, name := range names {
		err := patiently(ctx, passing, func(ctx context.Context) error {
			_, err := c.askLeaders(ctx, name)
			return err
		})
		if err != nil {
			return fmt.Errorf("topiclog: topic %s was created and does not show: %w", name, err)
		}
	}
	return nil
}

// Check compares the topics with the layout. No finding means that `run` may start.
func (c *Client) Check(ctx context.Context, o Options) ([]Finding, error) {
	layout, err := c.layout(ctx, o)
	if err != nil {
		return nil, err
	}
	topics, err := c.Describe(ctx)
	if err != nil {
		return nil, err
	}
	var findings []Finding
	present := make([]string, 0, len(layout))
	for _, l := range layout {
		name := c.Name(l.Topic)
		d := topics[name]
		if d.Err != nil {
			findings = append(findings, Finding{name, "existence", "missing", "created (hongbao topics create)"})
			continue
		}
		findings = append(findings, l.shape(name, d)...)
		present = append(present, name)
	}
	if len(present) == 0 {
		return findings, nil
	}
	configs, err := c.adm.DescribeTopicConfigs(ctx, present...)
	if err != nil {
		return nil, fmt.Errorf("topiclog: describe topic settings: %w", err)
	}
	for _, l := range layout {
		more, err := l.compare(c.Name(l.Topic), configs)
		if err != nil {
			return nil, err
		}
		findings = append(findings, more...)
	}
	return findings, nil
}

// Describe asks for the metadata of all topics, by name. A broker that is away for a moment, or elects leaders, is asked again for at most 20 s.
// Err of a topic is nil, or says that the brokers know no such topic.
func (c *Client) Describe(ctx context.Context) (topics kadm.TopicDetails, err error) {
	err = patiently(ctx, passing, func(ctx context.Context) (err error) {
		topics, err = c.describe(ctx)
		return err
	})
	return topics, err
}

func (c *Client) describe(ctx context.Context) (kadm.TopicDetails, error) {
	var names []string
	for t := range schemas.Topics {
		names = append(names, c.Name(t))
	}
	topics, err := c.adm.ListTopics(ctx, names...)
	if err != nil {
		return nil, fmt.Errorf("topiclog: describe topics: %w", err)
	}
	for _, name := range names {
		if d := topics[name]; d.Err != nil && !errors.Is(d.Err, kerr.UnknownTopicOrPartition) {
			return nil, fmt.Errorf("topiclog: describe topic %s: %w", name, d.Err)
		}
	}
	return topics, nil
}

func (c *Client) layout(ctx context.Context, o Options) ([]TopicLayout, error) {
	if !o.Dev {
		local, err := c.Loopback(ctx)
		if err != nil {
			return nil, err
		}
		o.Dev = local
	}
	return Layout(o), nil
}

func (l *TopicLayout) shape(name string, d kadm.TopicDetail) []Finding {
	var out []Finding
	if got := len(d.Partitions); got != int(l.Partitions) {
		out = append(out, Finding{name, "partitions", strconv.Itoa(got), strconv.Itoa(int(l.Partitions))})
	}
	for _, p := range d.Partitions.Sorted() {
		if got := len(p.Replicas); got < int(l.Replication) {
			out = append(out, Finding{name, "replication", strconv.Itoa(got), "at least " + strconv.Itoa(int(l.Replication))})
			break
		}
	}
	return out
}

func (l *TopicLayout) compare(name string, configs kadm.ResourceConfigs) ([]Finding, error) {
	for _, rc := range configs {
		if rc.Name != name {
			continue
		}
		if rc.Err != nil {
			return nil, fmt.Errorf("topiclog: describe settings of %s: %w", name, rc.Err)
		}
		found := make(map[string]string, len(rc.Configs))
		for _, kv := range rc.Configs {
			found[kv.Key] = kv.MaybeValue()
		}
		var out []Finding
		for _, s := range l.Settings {
			value, ok := found[s.Name]
			if !ok {
				value = "(not reported)"
			}
			if !s.holds(value) {
				out = append(out, Finding{name, s.Name, value, s.wanted()})
			}
		}
		return out, nil
	}
	return nil, nil
}
