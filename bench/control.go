package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// The parent and its children talk in lines over the child's stdin and stdout:
// "@verb json". Other lines, which a peer's library may print, are passed to
// stderr.
//
//	server child   <- begin {profile}   -> cost       of the process so far
//	               <- end               -> cost
//	               -> listening {addr}  once, first
//	client child   -> warm              the load has run for the warm-up
//	               <- measure
//	               -> measured          the window is over, the load still runs
//	               <- finish
//	               -> result {…}        once, last
//	both           -> failed {error}    instead of any of the above
//	               <- end of file       stop and exit
const (
	verbListening = "listening"
	verbBegin     = "begin"
	verbEnd       = "end"
	verbCost      = "cost"
	verbWarm      = "warm"
	verbMeasure   = "measure"
	verbMeasured  = "measured"
	verbFinish    = "finish"
	verbResult    = "result"
	verbFailed    = "failed"
)

const longestLine = 1 << 20

// A message is one line of the control channel.
type message struct {
	verb string
	body string
}

// into decodes the body, if v is not nil.
func (m message) into(v any) error {
	if v == nil {
		return nil
	}
	if err := json.Unmarshal([]byte(m.body), v); err != nil {
		return fmt.Errorf("control: %s: %w", m.verb, err)
	}
	return nil
}

// say writes one message. A nil body is left out.
func say(w io.Writer, verb string, body any) error {
	line := "@" + verb
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return err
		}
		line += " " + string(b)
	}
	_, err := io.WriteString(w, line+"\n")
	return err
}

// listen sends the messages of r to the channel and closes it at the end of r.
// Lines that are no messages go to other.
func listen(r io.Reader, other io.Writer) <-chan message {
	ch := make(chan message, 16) // more than a whole conversation
	go func() {
		defer close(ch)
		lines := bufio.NewScanner(r)
		lines.Buffer(nil, longestLine)
		for lines.Scan() {
			rest, ok := strings.CutPrefix(lines.Text(), "@")
			if !ok {
				fmt.Fprintln(other, lines.Text())
				continue
			}
			verb, body, _ := strings.Cut(rest, " ")
			ch <- message{verb, body}
		}
	}()
	return ch
}

// A beginning is the body of begin.
type beginning struct {
	Profile string `json:"profile"` // file for a CPU profile up to end, "" for none
}

// An address is the body of listening.
type address struct {
	Addr string `json:"addr"`
}

// A failure is the body of failed.
type failure struct {
	Error string `json:"error"`
}
