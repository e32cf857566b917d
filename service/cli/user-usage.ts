export const USER_HELP = `perch user – who may log in with name and password

Usage: perch user add NAME --role ROLE
       perch user list [--json]
       perch user password NAME
       perch user remove NAME

  add and password ask for the password on the terminal, which does not show it, or take the first
  line of standard input. It has 12 to 256 characters. All of it counts at once, whether the service
  runs or not: a new password and a removal end the account's logins.

  --role ROLE      admin      everything
                   operator   commands the governor and sees everything
                   viewer     sees state, metrics and events; changes nothing
  --config F       configuration of the service, for its data folder

  perch user add anna --role admin
  pass show perch/anna | perch user password anna

The only admin is never removed. Use it as the service's user, or with sudo. Programs and kiosks
have tokens instead: perch token --help. More in docs/access.md.
`;
