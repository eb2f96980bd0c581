using System.CommandLine;
using System.Globalization;
using System.Text;
using OT.Geometries;
using OT.IO;
using OT.Numerics;
using OT.Results;
using OT.Solvers.Entropic;
using OT.Visuals;

namespace OT.Cli;

/// <summary>The files that a command writes, checked before the work and written after it.</summary>
sealed class Outputs
{
    const string PlanRule = "a plan is .csv, .npy or .npz";

    readonly string? _plan;
    readonly string? _potentials;
    readonly string? _plot;
    readonly string? _gradient;
    readonly string? _trace;
    readonly bool _traces;

    /// <summary>Checks that each can be written, before the work.</summary>
    /// <param name="arguments">Where they are named.</param>
    /// <param name="parse">The command line.</param>
    /// <param name="writes">Whether this process writes: of several only one does.</param>
    public Outputs(TransportArguments arguments, ParseResult parse, bool writes = true)
    {
        _traces = parse.GetValue(arguments.Trace) is not null;
        if (!writes)
            return;
        _plan = parse.GetValue(arguments.Plan);
        _potentials = parse.GetValue(arguments.Potentials);
        _plot = parse.GetValue(arguments.Plot);
        _gradient = parse.GetValue(arguments.Gradient);
        _trace = parse.GetValue(arguments.Trace);
        Check(_plan, "--plan", PlanRule, ".csv", ".npy", ".npz");
        Check(_potentials, "--potentials", "potentials are .npz", ".npz");
        Check(_plot, "--plot", "a picture is .svg", ".svg");
        Check(_gradient, "--gradient", "a gradient is .npz or .csv", ".npz", ".csv");
        Check(_trace, "--trace", "a trace is .csv", ".csv");
        Check(parse.GetValue(arguments.Checkpoint), "--checkpoint", "a checkpoint is .npz", ".npz");
        CheckDistinct(arguments, parse);
    }

    /// <summary>Refuses an output that would replace an input or another output. A checkpoint may replace the one that is resumed.</summary>
    static void CheckDistinct(TransportArguments arguments, ParseResult parse)
    {
        var taken = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (Argument<string> input in (ReadOnlySpan<Argument<string>>)[arguments.Source, arguments.Target])
            taken[FullPath(parse.GetValue(input)!)] = input.Name;
        foreach (
            Option<string?> input in (ReadOnlySpan<Option<string?>>)
                [arguments.CostMatrix, arguments.WeightsSource, arguments.WeightsTarget, arguments.Batch]
        )
        {
            if (parse.GetValue(input) is { } path)
                taken[FullPath(path)] = input.Name;
        }
        string? resumed = parse.GetValue(arguments.Resume) is { } state ? FullPath(state) : null;
        foreach (
            Option<string?> output in (ReadOnlySpan<Option<string?>>)
                [arguments.Plan, arguments.Potentials, arguments.Plot, arguments.Gradient, arguments.Trace, arguments.Checkpoint]
        )
        {
            if (parse.GetValue(output) is not { } path)
                continue;
            string? other =
                taken.TryGetValue(FullPath(path), out string? name) ? name
                : output != arguments.Checkpoint && string.Equals(FullPath(path), resumed, StringComparison.Ordinal)
                    ? arguments.Resume.Name
                : null;
            if (other is not null)
                throw new InputException($"{output.Name} {path}: is {other} too: give another name.");
            taken[FullPath(path)] = output.Name;
        }
    }

    /// <summary>The file of <c>file.npz:member</c>, as a full path.</summary>
    static string FullPath(string path) =>
        Path.GetFullPath(path.LastIndexOf(".npz:", StringComparison.Ordinal) is > 0 and var at ? path[..(at + 4)] : path);

    /// <summary>Writes what was asked for. An interrupted run writes no plan that would take long, and says so.</summary>
    /// <param name="result">The result.</param>
    /// <param name="brief">Whether half a second is all there is.</param>
    /// <param name="notes">Receives one line for each file left out.</param>
    public void Write(TransportResult result, bool brief, TextWriter notes)
    {
        const long briefMasses = 1_000_000; // about a tenth of a second as text
        if (result.Potentials is { } potentials)
            WritePotentials(potentials);
        else if (_potentials is not null)
            notes.WriteLine($"ot: {_potentials} not written: there are no potentials.");
        long masses = result.Plan is SparsePlan sparse ? sparse.NonZeros : (long)result.Plan.Rows * result.Plan.Columns;
        bool leaveOut = brief && masses > briefMasses;
        if (_plan is not null)
        {
            if (leaveOut)
                notes.WriteLine($"ot: {_plan} not written: its {masses} masses would take longer than an interrupt allows.");
            else
                WritePlan(_plan, result.Plan);
        }
        if (_plot is not null)
        {
            if (leaveOut)
                notes.WriteLine($"ot: {_plot} not written: it would take longer than an interrupt allows.");
            else
                PlanPicture.Save(_plot, result);
        }
    }

    /// <summary>Writes f and g where a file is wanted.</summary>
    public void WritePotentials(Potentials potentials)
    {
        if (_potentials is null)
            return;
        NpzFile.Write(
            _potentials,
            ("f", new NpyArray(potentials.F.ToArray(), potentials.F.Length)),
            ("g", new NpyArray(potentials.G.ToArray(), potentials.G.Length))
        );
    }

    /// <summary>Whether every iteration is to be noted.</summary>
    public bool Traces => _traces;

    /// <summary>Writes the errors on the way where a file is wanted.</summary>
    public void WriteTrace(Trace trace)
    {
        if (_trace is not null)
            File.WriteAllText(_trace, trace.ToCsv());
    }

    /// <summary>Whether derivatives are wanted.</summary>
    public bool WantsGradient => _gradient is not null;

    /// <summary>Writes the derivatives of a divergence; those in points where there are points.</summary>
    public void WriteGradient(DivergenceResult result, PointGradient? points)
    {
        if (_gradient is null)
            return;
        if (Path.GetExtension(_gradient) is ".csv")
        {
            using var writer = new StreamWriter(_gradient, append: false, new UTF8Encoding(false), bufferSize: 1 << 16);
            writer.NewLine = "\n";
            string coordinates = string.Concat(Enumerable.Range(0, points?.Source.Columns ?? 0).Select(k => $",x{k}"));
            writer.WriteLine($"side,row,weight{coordinates}");
            WriteGradientRows(writer, "source", result.A, points?.Source);
            WriteGradientRows(writer, "target", result.B, points?.Target);
            return;
        }
        var arrays = new List<(string, NpyArray)>
        {
            ("weights_source", new NpyArray(result.A.ToArray(), result.A.Length)),
            ("weights_target", new NpyArray(result.B.ToArray(), result.B.Length)),
        };
        if (points is not null)
        {
            arrays.Add(("source", new NpyArray(points.Source.Values.ToArray(), points.Source.Rows, points.Source.Columns)));
            arrays.Add(("target", new NpyArray(points.Target.Values.ToArray(), points.Target.Rows, points.Target.Columns)));
        }
        NpzFile.Write(_gradient, [.. arrays]);
    }

    static void WriteGradientRows(StreamWriter writer, string side, ReadOnlySpan<double> weights, Matrix? points)
    {
        for (int i = 0; i < weights.Length; i++)
        {
            writer.Write(string.Create(CultureInfo.InvariantCulture, $"{side},{i},{weights[i]:R}"));
            for (int k = 0; k < (points?.Columns ?? 0); k++)
                writer.Write(string.Create(CultureInfo.InvariantCulture, $",{points![i, k]:R}"));
            writer.WriteLine();
        }
    }

    public static TransportPlan ReadPlan(string path, int rows, int columns, CancellationToken cancellation)
    {
        TransportPlan plan;
        if (Path.GetExtension(path) is ".csv")
        {
            using FileStream stream = TableReader.Open(path);
            plan = Triples(CsvReader.Read(stream, path, cancellation), rows, columns);
        }
        else
        {
            CheckExtension(path, "--plan", PlanRule, ".npy", ".npz");
            TableReader.Open(path).Dispose();
            plan = PlanFile.Read(path);
        }
        if (plan.Rows != rows || plan.Columns != columns)
            throw new InputException($"{path}: a plan of {plan.Rows} x {plan.Columns} for a problem of {rows} x {columns}.");
        return plan;
    }

    public static Potentials ReadPotentials(string path, int rows, int columns)
    {
        TableReader.Open(path).Dispose();
        double[] f = NpzFile.Read(path, "f").ToDoubles();
        double[] g = NpzFile.Read(path, "g").ToDoubles();
        if (f.Length != rows || g.Length != columns)
            throw new InputException(
                $"{path}: potentials of {f.Length} and {g.Length} values for a problem of {rows} x {columns}."
            );
        try
        {
            return new Potentials(f, g);
        }
        catch (ArgumentException e)
        {
            throw new InputException($"{path}: {CommandLine.OneLine(e)}", e);
        }
    }

    static void WritePlan(string path, TransportPlan plan)
    {
        if (Path.GetExtension(path) is not ".csv")
        {
            PlanFile.Save(path, plan);
            return;
        }
        using var writer = new StreamWriter(path, append: false, new UTF8Encoding(false), bufferSize: 1 << 16);
        writer.NewLine = "\n";
        writer.WriteLine("row,column,mass");
        if (plan is SparsePlan sparse)
        {
            for (int i = 0; i < plan.Rows; i++)
            {
                ReadOnlySpan<int> columns = sparse.Values.RowColumns(i);
                ReadOnlySpan<double> masses = sparse.Values.RowValues(i);
                for (int k = 0; k < columns.Length; k++)
                    WriteTriple(writer, i, columns[k], masses[k]);
            }
            return;
        }
        var row = new double[plan.Columns];
        for (int i = 0; i < plan.Rows; i++)
        {
            plan.Row(i, row);
            for (int j = 0; j < row.Length; j++)
                WriteTriple(writer, i, j, row[j]);
        }
    }

    /// <summary>One line, in digits that read back to the same double; zero masses are left out.</summary>
    static void WriteTriple(StreamWriter writer, int row, int column, double mass)
    {
        if (mass == 0)
            return;
        Span<char> line = stackalloc char[64];
        line.TryWrite(CultureInfo.InvariantCulture, $"{row},{column},{mass:R}\n", out int length);
        writer.Write(line[..length]);
    }

    static SparsePlan Triples(Table table, int rows, int columns)
    {
        if (table.Columns != 3)
            throw new InputException($"{table.Name}: {table.Columns} columns: a plan has three, row,column,mass.");
        var (from, to, masses) = (new int[table.Rows], new int[table.Rows], new double[table.Rows]);
        for (int k = 0; k < table.Rows; k++)
        {
            from[k] = Index(table, k, 0, rows);
            to[k] = Index(table, k, 1, columns);
            masses[k] = table[k, 2];
            if (!(masses[k] >= 0) || double.IsInfinity(masses[k]))
                throw new InputException(
                    FormattableString.Invariant($"{table.Place(k)}: mass {masses[k]}: a mass must be finite and not negative.")
                );
        }
        try
        {
            return new SparsePlan(SparseMatrix.FromTriples(rows, columns, from, to, masses));
        }
        catch (ArgumentException e)
        {
            throw new InputException($"{table.Name}: {CommandLine.OneLine(e)}", e);
        }
    }

    static int Index(Table table, int row, int column, int count)
    {
        double value = table[row, column];
        return value >= 0 && value < count && value == Math.Floor(value)
            ? (int)value
            : throw new InputException(
                FormattableString.Invariant(
                    $"{table.Place(row)}: {(column == 0 ? "row" : "column")} {value}: must be a whole number from 0 to {count - 1}."
                )
            );
    }

    static void CheckExtension(string path, string option, string rule, params ReadOnlySpan<string> extensions)
    {
        if (!extensions.Contains(Path.GetExtension(path)))
            throw new InputException($"{option} {path}: {rule}.");
    }

    /// <summary>Refuses, before the work, a file that could not be written after it.</summary>
    public static void Check(string? path, string option, string rule, params ReadOnlySpan<string> extensions)
    {
        if (path is null)
            return;
        CheckExtension(path, option, rule, extensions);
        if (Directory.Exists(path))
            throw new InputException($"{option} {path}: is a folder.");
        if (Path.GetDirectoryName(Path.GetFullPath(path)) is { } folder && !Directory.Exists(folder))
            throw new InputException($"{option} {path}: there is no folder {folder}.");
        try
        {
            var file = new FileInfo(path);
            if (file is { Exists: true, IsReadOnly: true })
                throw new InputException($"{option} {path}: is read-only.");
            if (!file.Exists)
            {
                file.Create().Dispose();
                file.Delete();
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new InputException($"{option} {path}: cannot be written. {CommandLine.OneLine(e)}", e);
        }
    }
}
