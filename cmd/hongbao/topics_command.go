package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"hongbao/internal/topiclog"
)

// topicsAnswer is what `topics create --json` and `topics check --json` print.
type topicsAnswer struct {
	OK       bool               `json:"ok"`
	Created  []string           `json:"created"`
	Findings []topiclog.Finding `json:"findings"`
}

func newTopicsCommand(a *app) *cobra.Command {
	create := &cobra.Command{
		Use:   "create",
		Short: "Create the topics that are missing, then check all of them",
		Long: `Create the topics that are missing with the settings that hongbao needs, then check all of them.
A topic that exists is left as it is. The partition count is for good: keys map to partitions by it.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.topics(cmd.Context(), true) },
	}
	check := &cobra.Command{
		Use:   "check",
		Short: "Compare the topics' settings with what hongbao needs",
		Long: `Compare the topics' settings with what hongbao needs. Exit code 0: run would start.
1: each line names a topic, a setting, the value found and the value wanted.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.topics(cmd.Context(), false) },
	}
	addFlags(create.Flags(), "topic-partitions")
	addFlags(check.Flags(), "topic-partitions")
	return newGroup("topics", "Create the topics, or check that they are as hongbao needs them", create, check, newAdoptCommand(a))
}

func (a *app) topics(ctx context.Context, create bool) error {
	client, err := a.dialTopics(ctx)
	if err != nil {
		return err
	}
	defer client.Close()
	answer := topicsAnswer{Created: []string{}, Findings: []topiclog.Finding{}}
	options := topiclog.Options{Partitions: a.cfg.partitions(), Dev: a.cfg.Dev}
	if create {
		created, err := client.Create(ctx, options)
		if err != nil {
			return err
		}
		answer.Created = append(answer.Created, created...)
	}
	found, err := client.Check(ctx, options)
	if err != nil {
		return err
	}
	answer.Findings = append(answer.Findings, found...)
	answer.OK = len(found) == 0
	if err := a.answer(answer, answer.print); err != nil || answer.OK {
		return err
	}
	return errFailed
}

func (t topicsAnswer) print(w io.Writer) {
	for _, name := range t.Created {
		fmt.Fprintf(w, "created %s\n", name)
	}
	for _, f := range t.Findings {
		fmt.Fprintln(w, f)
	}
	if t.OK {
		fmt.Fprintln(w, "every topic is as it should be")
	}
}
