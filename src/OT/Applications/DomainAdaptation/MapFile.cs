using System.Collections.Immutable;
using OT.Geometries;
using OT.IO;
using OT.Numerics;
using OT.Results;

namespace OT.Applications.DomainAdaptation;

/// <summary>The .npz form of a <see cref="DomainMap"/>.</summary>
/// <remarks>
/// Members: <c>version, map</c> ("linear" or "plan"). Linear: <c>mean_source, mean_target, covariance_source, covariance_target, matrix, transport_cost, source_rank</c>. Plan: <c>source, target, a,
/// b, labels_source, labels_target, method, status, message, cost, extension, bandwidth</c> (NaN for its default)<c>, ridge</c>, and the plan as <c>data, indices, indptr, shape</c> or, where it is entropic, by
/// <c>f, g, epsilon</c>.
/// </remarks>
static class MapFile
{
    public const string Linear = "linear";
    const string Plan = "plan";
    const int Version = 1;

    static readonly GroundCost[] s_costs =
    [
        GroundCost.SquaredEuclidean,
        GroundCost.HalfSquaredEuclidean,
        GroundCost.Euclidean,
        GroundCost.CityBlock,
        GroundCost.Chebyshev,
        GroundCost.Cosine,
        GroundCost.SphereGeodesic,
    ];

    public static (string Name, NpyArray Array)[] Head(string kind) =>
        [("version", new NpyArray([(long)Version])), ("map", new NpyArray(kind))];

    public static (string Name, NpyArray Array)[] Of(PlanMap map, PlanMapOptions options)
    {
        if (!s_costs.Contains(options.Cost))
            throw new NotSupportedException(
                $"The cost '{options.Cost.Name}' cannot be kept in a file: there are {string.Join(", ", s_costs.Select(cost => cost.Name))}."
            );
        (string, NpyArray)[] plan = map.Potentials is { } potentials
            ? [("f", Vector(potentials.F)), ("g", Vector(potentials.G)), ("epsilon", new NpyArray([map.Epsilon]))]
            : PlanFile.Of(map.Plan.ToSparse());
        return
        [
            .. Head(Plan),
            ("source", new NpyArray(map.Source.Points)),
            ("target", new NpyArray(map.Target.Points)),
            ("a", Vector(map.Source.Measure.Weights)),
            ("b", Vector(map.Target.Measure.Weights)),
            ("labels_source", Labels(map.Source)),
            ("labels_target", Labels(map.Target)),
            ("method", new NpyArray(map.Method)),
            ("status", new NpyArray(map.Status.ToString())),
            ("message", new NpyArray(map.Message)),
            ("cost", new NpyArray(options.Cost.Name)),
            ("extension", new NpyArray(map.Extension.ToString())),
            ("bandwidth", new NpyArray([options.Bandwidth ?? double.NaN])),
            ("ridge", new NpyArray([options.Ridge])),
            .. plan,
        ];
    }

    public static DomainMap Read(string path)
    {
        IReadOnlyDictionary<string, NpyArray> arrays = NpzFile.ReadAll(path);
        if (!arrays.ContainsKey("map"))
            throw new InvalidDataException($"{path}: holds no map: there are {string.Join(", ", arrays.Keys)}.");
        PlanFile.CheckVersion(arrays, Version, path);
        try
        {
            return PlanFile.Text(arrays, "map", path) switch
            {
                Linear => ReadLinear(arrays, path),
                Plan => ReadPlan(arrays, path),
                var other => throw new InvalidDataException(
                    $"{path}:map: '{other}' is no kind of map: there are linear and plan."
                ),
            };
        }
        catch (Exception e) when (e is ArgumentException or OverflowException or InvalidOperationException)
        {
            throw new InvalidDataException($"{path}: {e.Message}", e);
        }
    }

    static LinearMap ReadLinear(IReadOnlyDictionary<string, NpyArray> arrays, string path)
    {
        double[] source = Finite(arrays, "mean_source", path, 1).ToDoubles();
        int d = source.Length;
        double[] target = Finite(arrays, "mean_target", path, 1).ToDoubles();
        Guard.Length(target.Length, d, "mean_target");
        Matrix Square(string member)
        {
            Matrix matrix = Finite(arrays, member, path, 2).ToMatrix();
            return matrix.Rows == d && matrix.Columns == d
                ? matrix
                : throw new InvalidDataException($"{path}:{member}: {matrix.Rows} x {matrix.Columns} for means of {d} values.");
        }
        return new LinearMap(
            new Gaussian(source, Square("covariance_source")),
            new Gaussian(target, Square("covariance_target")),
            Square("matrix"),
            PlanFile.Number(arrays, "transport_cost", path),
            checked((int)PlanFile.Number(arrays, "source_rank", path))
        );
    }

    static PlanMap ReadPlan(IReadOnlyDictionary<string, NpyArray> arrays, string path)
    {
        Domain source = ReadDomain(arrays, "source", "a", "labels_source", path),
            target = ReadDomain(arrays, "target", "b", "labels_target", path);
        string name = PlanFile.Text(arrays, "cost", path);
        double bandwidth = PlanFile.Number(arrays, "bandwidth", path);
        var options = new PlanMapOptions
        {
            Cost =
                Array.Find(s_costs, cost => string.Equals(cost.Name, name, StringComparison.Ordinal))
                ?? throw new InvalidDataException($"{path}:cost: '{name}' is not a cost."),
            Extension = Parsed<Extension>(arrays, "extension", path),
            Bandwidth = double.IsNaN(bandwidth) ? null : bandwidth,
            Ridge = PlanFile.Number(arrays, "ridge", path),
        };
        options.Validate();
        Potentials? potentials = PlanFile.Potentials(arrays, path);
        double epsilon = potentials is null ? 0 : Guard.Positive(PlanFile.Number(arrays, "epsilon", path), "epsilon");
        TransportPlan plan = potentials is not null
            ? new PotentialPlan(
                PlanMap.ProblemOf(source, target, options.Cost).Geometry,
                source.Measure,
                target.Measure,
                potentials,
                epsilon
            )
            : PlanFile.Read(arrays, path) ?? throw new InvalidDataException($"{path}: holds neither a plan nor potentials.");
        if (plan.Rows != source.Count || plan.Columns != target.Count)
            throw new InvalidDataException(
                $"{path}: a plan of {plan.Rows} x {plan.Columns} between {source.Count} and {target.Count} points."
            );
        var made = new MadePlan(plan, Parsed<SolverStatus>(arrays, "status", path))
        {
            Message = PlanFile.Text(arrays, "message", path),
        };
        return new PlanMap(source, target, made, PlanFile.Text(arrays, "method", path), options, potentials, epsilon);
    }

    static Domain ReadDomain(
        IReadOnlyDictionary<string, NpyArray> arrays,
        string points,
        string weights,
        string labels,
        string path
    ) =>
        new(
            Measure.Of(Finite(arrays, weights, path, 1).ToDoubles(), Finite(arrays, points, path, 2).ToMatrix()),
            [.. Finite(arrays, labels, path, 1).ToDoubles().Select(label => checked((int)label))]
        );

    static NpyArray Finite(IReadOnlyDictionary<string, NpyArray> arrays, string member, string path, int axes)
    {
        NpyArray array = PlanFile.Required(arrays, member, path);
        if (array.Shape.Length != axes || array.Text is not null || array.Count == 0)
            throw new InvalidDataException($"{path}:{member}: numbers along {axes} axes are wanted.");
        Guard.Finite(array.ToDoubles(), member);
        return array;
    }

    static T Parsed<T>(IReadOnlyDictionary<string, NpyArray> arrays, string member, string path)
        where T : struct, Enum =>
        Enum.TryParse(PlanFile.Text(arrays, member, path), out T value) && Enum.IsDefined(value)
            ? value
            : throw new InvalidDataException($"{path}:{member}: '{PlanFile.Text(arrays, member, path)}' is not one.");

    static NpyArray Vector(ReadOnlySpan<double> values) => new(values.ToArray(), values.Length);

    static NpyArray Labels(Domain domain) => new([.. domain.Labels.Select(label => (long)label)], domain.Count);
}
