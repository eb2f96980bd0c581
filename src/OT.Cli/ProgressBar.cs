using System.Globalization;
using OT.Solvers;
using Spectre.Console;

namespace OT.Cli;

/// <summary>A progress bar with rate and time left on a terminal; runs that end within half a second never draw it.</summary>
static class ProgressBar
{
    static readonly TimeSpan Patience = TimeSpan.FromMilliseconds(500);
    static readonly TimeSpan Frame = TimeSpan.FromMilliseconds(100);

    /// <summary>Draws until the work ends or is interrupted.</summary>
    public static void Show(Task work, ProgressSink progress, TextWriter error, CancellationToken cancellation)
    {
        if (!work.Wait(Patience, cancellation))
            Draw(work, progress, error, cancellation);
    }

    // Apart, so that short runs do not load the drawing library.
    static void Draw(Task work, ProgressSink progress, TextWriter error, CancellationToken cancellation)
    {
        IAnsiConsole console = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(error) });
        console
            .Progress()
            .AutoClear(true)
            .Columns(new ProgressBarColumn(), new PercentageColumn(), new TaskDescriptionColumn { Alignment = Justify.Left })
            .Start(context =>
            {
                ProgressTask bar = context.AddTask(progress.Phase);
                while (!work.Wait(Frame, cancellation))
                {
                    SolverProgress? latest = progress.Phase is "solving" ? progress.Latest : null;
                    double share = latest?.Fraction ?? progress.Share;
                    bar.IsIndeterminate = !(share >= 0);
                    if (share >= 0)
                        bar.Value = 100 * Math.Clamp(share, 0, 1);
                    bar.Description = latest is { } look ? Describe(look) : progress.Phase;
                }
            });
    }

    internal static string Describe(SolverProgress look)
    {
        string text = string.Create(CultureInfo.InvariantCulture, $"{look.Iteration} iterations");
        if (double.IsFinite(look.Error))
            text += string.Create(CultureInfo.InvariantCulture, $", error {look.Error:0.0E+0}");
        if (double.IsFinite(look.Rate))
            text += string.Create(CultureInfo.InvariantCulture, $", {look.Rate:0.#}/s");
        if (look.Remaining is { } left)
            text += string.Create(
                CultureInfo.InvariantCulture,
                $", {(left.TotalHours >= 24 ? $"{left.TotalDays:0} days" : left.ToString(@"h\:mm\:ss", CultureInfo.InvariantCulture))} left"
            );
        return text;
    }
}
