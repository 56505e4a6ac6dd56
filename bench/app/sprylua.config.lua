return {
  limits = { connections = 20000 }, -- some loads open 10,000, and a few more
}
