// Runs before the page is drawn, so that a chosen theme does not flash.
{
  const root = document.documentElement;
  const dark = matchMedia("(prefers-color-scheme: dark)");
  let chosen = null;
  try {
    chosen = localStorage.getItem("kong-discovery-theme");
  } catch {
    // Storage may be forbidden: then the system's theme holds.
  }
  if (chosen === "light" || chosen === "dark") root.dataset.theme = chosen;

  const shown = () => root.dataset.theme ?? (dark.matches ? "dark" : "light");
  const other = () => (shown() === "dark" ? "light" : "dark");

  document.addEventListener("DOMContentLoaded", () => {
    const button = document.getElementById("theme");
    const label = () => {
      button.setAttribute("aria-label", `Switch to the ${other()} theme`);
      button.title = button.getAttribute("aria-label");
    };
    button.onclick = () => {
      root.dataset.theme = other();
      try {
        localStorage.setItem("kong-discovery-theme", root.dataset.theme);
      } catch {
        // Then it holds until the page is left.
      }
      label();
    };
    dark.onchange = label;
    label();
  });
}
