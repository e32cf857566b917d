export const GOVERNOR_HELP = `perch governor – which level of the model runs, how much of the time, and why

The governor reads temperatures and memory once a second. It holds the pace (the share of the time that the
model may work) so that the box does not get too hot, and takes a lower level where memory or heat leave no
room for a better one. You can overrule it for a while; heat and memory still have the last word.

Usage: perch governor [show | set | freeze | auto | history] [options]

  show                            what runs now, why, what comes next, and what the box measures
  set LEVEL|none [--pace P]       run this level, or none; and no faster than P (0 to 1)
  set --pace P                    leave the level to the governor, but go no faster than P
  freeze                          leave the level as it is
  auto                            let the governor decide again
  history [--limit N]             the last decisions that the record holds, newest first (default 20)

  --for DURATION                  how long set and freeze hold: 30m, 8h, at most 30d (default 1h)
  --config F                      configuration of the service that is asked
  --json                          show and history as JSON

All but history ask the service that runs on this box; set, freeze and auto need the right to read its data
folder (there lies admin.token).

  perch governor
  perch governor set q4_k_m --for 2h
  perch governor set --pace 0.5 --for 30m      quieter while visitors are here
  perch governor auto
`;
