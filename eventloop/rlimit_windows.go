package eventloop

// fileLimit returns how many connections the process has handles for.
func fileLimit() int { return maxDefaultConns }
