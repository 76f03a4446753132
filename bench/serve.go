package main

import (
	"context"
	"fmt"
	"io"
)

// loopback is where servers listen: any free port.
const loopback = "127.0.0.1:0"

// serve is the server child: it serves p and answers the parent's questions
// until in ends.
func serve(ctx context.Context, p Peer, in io.Reader, out, stderr io.Writer) (err error) {
	defer func() {
		if err != nil {
			_ = say(out, verbFailed, failure{err.Error()})
		}
	}()
	remote, ok := p.Impl.(Remote)
	if !ok {
		return fmt.Errorf("peer %s has no server", p.Name)
	}
	addr, stop, err := remote.Serve(ctx, loopback)
	if err != nil {
		return fmt.Errorf("serve: %w", err)
	}
	defer stop()
	if err := say(out, verbListening, address{addr}); err != nil {
		return err
	}
	return answer(listen(in, stderr), out)
}

// answer reports the costs of the server when the parent asks for them.
func answer(questions <-chan message, out io.Writer) error {
	meter := newMeter()
	stopProfile := func() error { return nil }
	for q := range questions {
		cost, err := meter.read()
		if err != nil {
			return err
		}
		switch q.verb {
		case verbBegin:
			var b beginning
			if err := q.into(&b); err != nil {
				return err
			}
			stopProfile, err = startProfile(b.Profile)
		case verbEnd:
			err = stopProfile()
		default:
			err = fmt.Errorf("control: %q means nothing to a server", q.verb)
		}
		if err != nil {
			return err
		}
		if err := say(out, verbCost, cost); err != nil {
			return err
		}
	}
	return nil
}
