// Going back, browsers show a page as it was, also one that nobody was to keep: after signing out,
// it would still be there for whoever sits here next.
addEventListener("pageshow", (event) => {
  if (event.persisted) {
    document.documentElement.hidden = true;
    location.reload();
  }
});
