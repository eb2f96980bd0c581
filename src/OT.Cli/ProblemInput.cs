using System.CommandLine;
using OT.Accelerators.Mpi;
using OT.Geometries;
using OT.Numerics;
using OT.Problems;

namespace OT.Cli;

/// <summary>Turns files into a problem; every refusal names the file, the row, the value and the rule.</summary>
sealed class ProblemInput(TransportArguments arguments, ParseResult parse, TableReader reader)
{
    const string WeightRule = "a weight must be finite and not negative";

    Func<Geometry> _geometry = null!;

    /// <summary>Reads and checks the files. The geometry itself is made by <see cref="Build"/>, which may be timed.</summary>
    public ProblemInput ReadFiles(double? power = null)
    {
        string source = parse.GetValue(arguments.Source)!;
        string target = parse.GetValue(arguments.Target)!;
        if (power is null && parse.GetValue(arguments.CostMatrix) is { } matrix)
        {
            foreach (
                Option<string?> option in (ReadOnlySpan<Option<string?>>)
                    [arguments.Cost, arguments.WeightsSource, arguments.WeightsTarget, arguments.WeightsColumn]
            )
            {
                if (parse.GetValue(option) is not null)
                    throw new InputException(
                        $"{option.Name} means nothing with --cost-matrix: SOURCE and TARGET are the weights."
                    );
            }
            A = Weights(reader.Read(source), null);
            B = Weights(reader.Read(target), null);
            (Table? costs, int rows, int columns) = reader.ReadPart(matrix, CheckCosts);
            if (rows != A.Count || columns != B.Count)
            {
                throw new InputException(
                    $"{matrix}: {rows} x {columns} costs for {A.Count} weights in {source} and {B.Count} in {target}: the counts must agree."
                );
            }
            IsSharded = reader.Ranks is not null;
            _geometry = () =>
                reader.Ranks is { } ranks ? ShardedCosts.FromPortions(ranks, columns, costs?.ToDoubles() ?? [])
                : costs!.Singles is { } singles ? new CostMatrix(rows, columns, singles)
                : new CostMatrix(rows, columns, costs.ToDoubles());
            return this;
        }
        GroundCost cost = Cost(power);
        A = Cloud(source, parse.GetValue(arguments.WeightsSource), arguments.WeightsSource.Name);
        B = Cloud(target, parse.GetValue(arguments.WeightsTarget), arguments.WeightsTarget.Name);
        if (A.Points!.Columns != B.Points!.Columns)
        {
            throw new InputException(
                $"{source} has {A.Points.Columns} coordinates a row, {target} has {B.Points.Columns}: points of both sides need as many."
            );
        }
        _geometry = () =>
        {
            try
            {
                return new PointCloud(A.Points, B.Points, cost);
            }
            catch (ArgumentException e)
            {
                throw new InputException($"{(e.ParamName is "target" ? target : source)}: {CommandLine.OneLine(e)}", e);
            }
        };
        return this;
    }

    static void CheckCosts(Table costs) =>
        costs.Require(
            cost => !double.IsNaN(cost) && !double.IsNegativeInfinity(cost),
            "a cost must be finite, or inf to forbid the pair"
        );

    /// <summary>Whether the costs lie with several processes.</summary>
    public bool IsSharded { get; private set; }

    public Measure A { get; private set; } = null!;

    public Measure B { get; private set; } = null!;

    /// <summary>The distance whose power is the cost, for <c>ot distance</c>.</summary>
    public GroundCost? Metric { get; private set; }

    /// <summary>Whether the answer is to be entropic: it is where epsilon, a penalty or the method asks for it.</summary>
    public bool IsEntropic =>
        parse.GetValue(arguments.Epsilon) is not null
        || parse.GetValue(arguments.RhoSource) is not null
        || parse.GetValue(arguments.RhoTarget) is not null;

    /// <summary>The problem, its geometry made here.</summary>
    public LinearProblem Build(bool entropic)
    {
        Regularizer entropy = EntropyOf(arguments, parse);
        return new LinearProblem(_geometry(), A, B)
        {
            Regularizer = entropic ? entropy : Regularizer.None,
            PenaltyA = Penalty(arguments.RhoSource),
            PenaltyB = Penalty(arguments.RhoTarget),
        };
    }

    /// <summary>The entropy asked for; its default where none is.</summary>
    public static Regularizer EntropyOf(TransportArguments arguments, ParseResult parse)
    {
        string? scale = parse.GetValue(arguments.EpsilonScale);
        if (scale is not null && parse.GetValue(arguments.Epsilon) is null)
            throw new InputException("--epsilon-scale means nothing without --epsilon.");
        if (
            parse.GetValue(arguments.Penalty) is not null
            && parse.GetValue(arguments.RhoSource) is null
            && parse.GetValue(arguments.RhoTarget) is null
        )
            throw new InputException("--penalty means nothing without --rho-source or --rho-target.");
        EpsilonScale of = scale is null ? EpsilonScale.Absolute : TransportArguments.ParseScale(scale);
        return Regularizer.Entropy(parse.GetValue(arguments.Epsilon) is { } factor ? Epsilon.Of(factor, of) : null);
    }

    /// <summary>One line on masses that no plan can join, or null.</summary>
    public string? MassMismatch(LinearProblem problem) =>
        problem.MassesAgree
            ? null
            : FormattableString.Invariant(
                $"{parse.GetValue(arguments.Source)} has mass {A.Mass:R}, {parse.GetValue(arguments.Target)} has mass {B.Mass:R}: hard marginals need equal masses; scale the weights, or give --rho-source and --rho-target."
            );

    GroundCost Cost(double? power)
    {
        string? name = parse.GetValue(arguments.Cost);
        if (power is not { } p)
            return TransportArguments.ParseCost(name ?? "sqeuclidean");
        if (p < 1)
            throw new InputException(FormattableString.Invariant($"--p {p}: the order of a distance must be at least 1."));
        Metric = TransportArguments.ParseDistance(name ?? "euclidean");
        return Metric.ToPower(p);
    }

    MarginalPenalty Penalty(Option<double?> rho) =>
        parse.GetValue(rho) is { } value
            ? TransportArguments.ParsePenalty(parse.GetValue(arguments.Penalty) ?? "kl")(value)
            : MarginalPenalty.Exact;

    Measure Cloud(string path, string? weightsPath, string weightsOption)
    {
        Table table = reader.Read(path);
        table.Require(double.IsFinite, "a coordinate must be finite");
        if (parse.GetValue(arguments.WeightsColumn) is { } name)
        {
            if (weightsPath is not null)
                throw new InputException($"--weights-column and {weightsOption} both give weights: give one of them.");
            int column = table.FindColumn(name);
            return Weights(table.Column(column), table.Without(column));
        }
        var points = new Matrix(table.Rows, table.Columns, table.ToDoubles());
        if (weightsPath is null)
            return Measure.Uniform(points);
        Table weights = reader.Read(weightsPath);
        if ((long)weights.Rows * weights.Columns != points.Rows)
        {
            throw new InputException(
                $"{weightsPath}: {(long)weights.Rows * weights.Columns} weights for the {points.Rows} points of {path}: the counts must be equal."
            );
        }
        return Weights(weights, points);
    }

    public static Measure Weights(Table table, Matrix? points)
    {
        if (table.Rows != 1 && table.Columns != 1)
            throw new InputException($"{table.Name}: {table.Rows} x {table.Columns} numbers: weights are one row or one column.");
        table.Require(weight => weight >= 0 && double.IsFinite(weight), WeightRule);
        try
        {
            return table.Singles is { } singles ? Measure.Of(singles, points) : Measure.Of(table.ToDoubles(), points);
        }
        catch (ArgumentException e)
        {
            throw new InputException($"{table.Name}: {CommandLine.OneLine(e)}", e);
        }
    }
}
