using System.CommandLine;
using System.CommandLine.Help;
using OT.Backends;

namespace OT.Cli;

/// <summary>The <c>ot</c> command: its grammar, its exit codes, and what becomes of an exception.</summary>
static class CommandLine
{
    public const int Success = 0;
    public const int StoppedEarly = 1;
    public const int BadInput = 2;
    public const int Infeasible = 3;

    /// <summary>Runs one command and returns its exit code.</summary>
    /// <param name="args">The words behind <c>ot</c>.</param>
    /// <param name="standardInput">Opened when <c>-</c> is read.</param>
    /// <param name="output">Receives the result.</param>
    /// <param name="error">Receives messages, and progress where <paramref name="showProgress"/>.</param>
    /// <param name="showProgress">Whether <paramref name="error"/> is a terminal.</param>
    /// <param name="ranks">The processes of an MPI job that all run this; null for a process by itself.</param>
    /// <param name="cancellation">Ctrl-C.</param>
    public static int Run(
        IReadOnlyList<string> args,
        Func<Stream> standardInput,
        TextWriter output,
        TextWriter error,
        bool showProgress = false,
        RankConsole? ranks = null,
        CancellationToken cancellation = default
    )
    {
        var console = new CommandConsole(standardInput, output, error, showProgress, cancellation, ranks);
        // A file may be called @points.csv: no response files.
        ParseResult parse = Root(console)
            .Parse(args, new ParserConfiguration { ResponseFileTokenReplacer = null, EnablePosixBundling = false });
        string? problem = ProblemOf(parse);
        if (ranks is not null)
            problem = ranks.Ranks.FirstFailure(problem) ?? ranks.Difference(AskedFor(parse));
        if (problem is not null)
        {
            error.WriteLine($"ot: {problem}");
            return BadInput;
        }
        return parse.Invoke(
            new InvocationConfiguration
            {
                Output = output,
                Error = error,
                EnableDefaultExceptionHandler = false,
            }
        );
    }

    /// <summary>What is wrong with the words, or null.</summary>
    static string? ProblemOf(ParseResult parse)
    {
        if (parse.Errors.Count == 0)
            return null;
        string problem =
            parse.UnmatchedTokens.Count > 0 ? $"'{parse.UnmatchedTokens[0]}' is not known here." : parse.Errors[0].Message;
        return $"{OneLine(problem)} See 'ot {parse.CommandResult.Command.Name} --help'.".Replace(
            "'ot ot ",
            "'ot ",
            StringComparison.Ordinal
        );
    }

    /// <summary>The command, or what stands in its place: the help or the version.</summary>
    static string AskedFor(ParseResult parse)
    {
        Command command = parse.CommandResult.Command;
        return parse.Action == command.Action ? $"ot {command.Name}" : "the help or the version";
    }

    static Command Root(CommandConsole console)
    {
        // Not a RootCommand, which would call itself by the assembly's name.
        var root = new Command("ot", "Optimal transport between point clouds and histograms, with a certificate on every result.")
        {
            new HelpOption { Recursive = true },
            new VersionOption(),
        };

        var solve = new Command("solve", "Finds the cheapest plan that turns SOURCE into TARGET.");
        var solveArguments = new TransportArguments();
        solveArguments.AddProblemTo(solve);
        solveArguments.AddSolverTo(solve);
        solveArguments.AddClassesTo(solve);
        solve.Add(solveArguments.Batch);
        solve.SetAction(parse =>
            console.Run(() =>
                parse.GetValue(solveArguments.Batch) is null
                    ? new SolveCommand(solveArguments, parse, console, isDistance: false).Run()
                    : new BatchCommand(solveArguments, parse, console).Run()
            )
        );
        root.Add(solve);

        var distance = new Command("distance", "The Wasserstein distance W_p, its root taken.");
        var distanceArguments = new TransportArguments();
        distanceArguments.AddProblemTo(distance, distance: true);
        distanceArguments.AddSolverTo(distance);
        distance.SetAction(parse =>
            console.Run(() => new SolveCommand(distanceArguments, parse, console, isDistance: true).Run())
        );
        root.Add(distance);

        var divergence = new Command(
            "divergence",
            "The Sinkhorn divergence: entropic transport without its bias, 0 between equals."
        );
        var divergenceArguments = new TransportArguments();
        divergenceArguments.AddDivergenceTo(divergence);
        divergence.SetAction(parse => console.Run(() => new DivergenceCommand(divergenceArguments, parse, console).Run()));
        root.Add(divergence);

        var certify = new Command("certify", "Checks a plan made by anyone, with other code than the solvers'.");
        var certifyArguments = new TransportArguments();
        certifyArguments.AddProblemTo(certify);
        certifyArguments.Plan.Required = true;
        certifyArguments.Plan.Description = "The plan to check: .csv triples, .npy dense, .npz compressed rows.";
        certifyArguments.Potentials.Description = "Dual potentials f and g, for a bound and a gap.";
        certifyArguments.Tolerance.Description =
            "L1 error of both marginals that passes, relative to the mass; 1e-6 when left out.";
        certify.SetAction(parse => console.Run(() => new CertifyCommand(certifyArguments, parse, console).Run()));
        root.Add(certify);

        var pairwiseArguments = new PairwiseArguments();
        Command pairwise = pairwiseArguments.Command();
        pairwise.SetAction(parse => console.Run(() => new PairwiseCommand(pairwiseArguments, parse, console).Run()));
        root.Add(pairwise);

        var invertArguments = new InvertArguments();
        Command invert = invertArguments.Command();
        invert.SetAction(parse => console.Run(() => new InvertCommand(invertArguments, parse, console).Run()));
        root.Add(invert);
        var mapArguments = new MapArguments();
        Command map = mapArguments.Command();
        map.SetAction(parse => console.Run(() => new MapCommand(mapArguments, parse, console).Run()));
        root.Add(map);

        var backends = new Command("backends", "What was found, what was not, and why.");
        backends.SetAction(_ =>
            console.Run(() =>
            {
                BackendsCommand.Run(console.Output);
                return Success;
            })
        );
        root.Add(backends);
        return root;
    }

    /// <summary>The line that an exception leaves on standard error.</summary>
    public static string Describe(Exception exception) =>
        exception switch
        {
            OutOfMemoryException => "not enough memory: give fewer points, or --epsilon, which needs no matrix for points.",
            InputException or ArgumentException or InvalidDataException or IOException or UnauthorizedAccessException => OneLine(
                exception
            ),
            NotSupportedException or BackendException => OneLine(exception),
            _ => $"internal error, please report it: {exception.GetType().Name}: {OneLine(exception)}",
        };

    /// <summary>A message without line breaks and without the parameter's name, which means nothing to a user.</summary>
    public static string OneLine(Exception exception)
    {
        string message = exception.Message;
        for (Exception? cause = exception; cause is not null; cause = cause.InnerException)
        {
            if (cause is ArgumentException { ParamName: { } parameter })
                message = message.Replace($" (Parameter '{parameter}')", "", StringComparison.Ordinal);
        }
        return OneLine(message);
    }

    /// <summary>One line without control characters: names read from files reach the terminal as text only.</summary>
    static string OneLine(string message) =>
        string.Concat(message.ReplaceLineEndings(" ").Trim().Select(c => char.IsControl(c) ? '\uFFFD' : c));
}
